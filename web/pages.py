"""The pages as one of the application's faces: their paths, routers and static files."""

import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends
from starlette.staticfiles import StaticFiles

from api.http.faces import Face
from web.compare import routes as compare
from web.docs import routes as docs
from web.jobs import routes as jobs
from web.judges import routes as judges
from web.query import check_query
from web.report import routes as report
from web.samples import routes as samples
from web.session import routes as session
from web.sql import routes as sql
from web.trends import routes as trends

ROUTER: Final = APIRouter(dependencies=[Depends(check_query)])
for each in (samples, report, jobs, compare, trends, judges, sql, docs, session):
    ROUTER.include_router(each.router)

PAGES: Final = Face(
    name="pages",
    paths=re.compile(r"/$|/(jobs|compare|trends|judges|sql|login|logout|static)(/|$)"),
    routers=(ROUTER,),
    errors="page",
)

STATIC: Final = StaticFiles(directory=Path(__file__).with_name("static"))
