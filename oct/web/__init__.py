"""The console and the HTTP API: FastAPI, Jinja2, uvicorn. Pages in French; decisions are the steps'."""
