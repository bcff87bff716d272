"""From `openapi/kantos.yaml` to `kantos_async/api/`.

openapi-python-client parses; what it drops without a word is refused beforehand (`walk`), carried
over (`lift`), or looked up in the document itself (`models`, `operations`).
"""
