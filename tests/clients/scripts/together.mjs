// What the JavaScript client sees: `BASE_URL FILE_ID JUDGE_URL`, then JSON. It is found in the working directory.
import { createRequire } from "node:module";
import { setTimeout } from "node:timers/promises";

const Together = createRequire(`${process.cwd()}/`)("together-ai");
const [baseURL, fileId, judgeUrl] = process.argv.slice(2);
const client = new Together({ apiKey: "key", baseURL, maxRetries: 0 });

const created = await client.evals.create({
  type: "classify",
  parameters: {
    judge: {
      model: "judge",
      model_source: "external",
      system_template: "Is this an answer to {{question}}?",
      external_base_url: judgeUrl,
      external_api_token: "key-of-the-judge",
    },
    input_data_file_path: fileId,
    labels: ["good", "bad"],
    pass_labels: ["good"],
    model_to_evaluate: "answer",
  },
});
let status;
do {
  await setTimeout(50);
  status = await client.evals.status(created.workflow_id);
} while (!["completed", "error", "user_error"].includes(status.status));

const job = await client.evals.retrieve(created.workflow_id);
const content = await client.files.content(job.results.result_file_id);
const rows = (await content.text()).trim().split("\n").map((line) => JSON.parse(line));
const jobs = (await client.evals.list({ limit: 1 })).map((each) => each.workflow_id);
const files = (await client.files.list()).data.map((file) => file.id);
const refused = await client.files.retrieve("file-unknown").catch((error) => error.constructor.name);
console.log(JSON.stringify({ created, status, job, rows, jobs, files, refused }));
