import time
from tests.conftest import until
def test_it(served, endpoint):
    t=time.time()
    e={"api_endpoint":{"url":endpoint.url,"model_id":"m"}}
    d=served.home/"datasets"/"org"/"qa"; d.mkdir(parents=True,exist_ok=True)
    (d/"a.jsonl").write_text('{"q":"x ANSWER: 4","a":"4"}\n'*10)
    spec={"target":{"type":"model","model":e},"config":{"type":"custom","tasks":{"qa":{"type":"chat-completion","params":{"template":{"messages":[{"role":"user","content":"{{item.q}}"}]}},"dataset":{"files_url":"hf://datasets/org/qa/a.jsonl"},"metrics":{"acc":{"type":"string-check","params":{"check":["{{sample.output_text}}","equals","{{item.a}}"]}}}}}}}
    c=served.client
    for n in range(3):
        t=time.time()
        j=c.v2.evaluation.jobs.create(spec=spec)
        until(lambda: c.v2.evaluation.jobs.retrieve(j.id).status in("completed","error"))
        j=c.v2.evaluation.jobs.retrieve(j.id)
        print(time.time()-t, j)
    print(c.v2.evaluation.jobs.results.evaluation_results.retrieve(j.id))
    import subprocess
    print(subprocess.run(["ps","--ppid",str(served.process.pid),"-o","pid,args"],capture_output=True,text=True).stdout)
