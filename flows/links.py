"""Where things are in Prefect's UI."""

import os


def flow_run_url(flow_run_id: str) -> str | None:
    """Return where a flow run is seen; None where no Prefect server is named."""
    ui = os.environ.get("PREFECT_UI_URL") or os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    return f"{ui.rstrip('/')}/runs/flow-run/{flow_run_id}" if ui else None
