"""Pages for people: what ran, how it did, which samples, and why.

They are one more client of what the native API is made of: a route reads the store by the same functions, a view (a
pure function beside it) makes of that what a template is given, and the template shows it. Without JavaScript all
works; htmx only swaps parts of what a reload would show.

A page is added so:

- a room `web/<page>/` with `routes.py` (HTTP only) and a module of its views, without I/O;
- a template `web/templates/<page>/….html`, which extends `layout.html`, with charts from `charts.html`;
- its router in `web/pages.py`, and the first part of its path in `PAGES` there;
- a test of it in `tests/web/`, with what hostile texts become, and a picture in `tests/browser/`.

Routes answer with `web.render.page`. A GET changes nothing; a POST takes the form's token (`web.session.forms`).
Neither style nor script may stand in a page (its Content-Security-Policy): classes are in `static/assay.css`, and
`static/assay.js` has the few lines of script there are.
"""
