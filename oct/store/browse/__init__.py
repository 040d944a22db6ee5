"""What people look up, page by page: the console's and the API's questions to the database (J1, K1).

Each question has an index that answers it. Pages go on from the last row that was shown (a key, never an offset), so
that the thousandth costs what the first does, and nothing is counted that is not waiting for somebody. Rows only, never
a payload.
"""
