"""The HTTP API `/api/v1`: what the console shows and does, for programs that carry a token.

An application of its own, mounted in the console's: no cookie and no session count here, so that nothing that a browser
adds by itself opens anything. Each noun has a module of that name: its documents (closed, in French, as `--json` names
things; their docstrings are their descriptions) and its calls. `application.create_api` joins them; what is refused or
fails is answered by `oct.web.failures`.
"""
