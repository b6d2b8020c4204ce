"""What a face keeps of a finished job besides its record, made again."""

from api.nemo.routes import v1 as nemo_v1
from api.nemo.routes.v1_results import FACE as NEMO_V1
from api.together import result_file
from core.job import Job
from store.workspace import Workspace


def republish(workspace: Workspace, job: Job) -> None:
    """Keep again what is lost with the job tables; nothing changes where it is there. Raises ResultsMissing."""
    if job.face == NEMO_V1:
        nemo_v1.publish(workspace, job)
    if job.status == "completed":
        result_file.publish(workspace, job, again=True)
