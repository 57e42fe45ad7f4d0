"""Write the dashboards: `python -m deploy.grafana.build`. A test compares the files with it."""

import json
from pathlib import Path
from typing import Final

from deploy.grafana.audience import AUDIENCE
from deploy.grafana.camera import CAMERA
from deploy.grafana.dashboard import Dashboard
from deploy.grafana.fleet import FLEET
from deploy.grafana.worker import WORKER

FOLDER: Final = Path(__file__).parent / "dashboards"

DASHBOARDS: Final = {"fleet": FLEET, "camera": CAMERA, "worker": WORKER, "audience": AUDIENCE}


def to_text(dashboard: Dashboard) -> str:
    """Return the content of a dashboard's file."""
    return json.dumps(dashboard.to_json(), indent=1) + "\n"


def main() -> None:
    """Write the dashboards' files."""
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(to_text(dashboard))


if __name__ == "__main__":
    main()
