"""The paths of what can be listed and read, of every face; `{0}` is the id of a job."""

from typing import Final

LISTS: Final = (
    "/v1/evaluation/targets",
    "/v1/evaluation/configs",
    "/v1/evaluation/jobs",
    "/v1/evaluation/results",
    "/v2/evaluation/jobs",
    "/v1/evaluations",
    "/v1/files",
    "/api/v3/evaluations",
    "/v1/evaluators",
    "/v1/containers",
    "/v1/evaluation/runs",
    "/v1/chat/completions?container=keyed",
    "/api/assay/v1/jobs",
)
OF_A_JOB: Final = (
    *(f"/api/assay/v1/jobs/{{0}}{end}" for end in ("", "/summaries", "/samples", "/logs")),
    *(f"/v1/evaluation/jobs/{{0}}{end}" for end in ("", "/status", "/results", "/logs", "/download-results")),
    *(f"/v2/evaluation/jobs/{{0}}{end}" for end in ("", "/status", "/results", "/logs")),
    *(f"/v2/evaluation/jobs/{{0}}/results/{name}/download" for name in ("evaluation-results", "artifacts")),
    *(f"/v1/evaluation/{{0}}{end}" for end in ("", "/status")),
)
