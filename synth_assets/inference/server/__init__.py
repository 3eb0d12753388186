"""A model behind an OpenAI-compatible server: vLLM's own, a NIM, a hosted one; or several replicas of it.

    identity        what GET /models says of the model: its fingerprint, and whether the server is a vLLM
    credentials     the key, from the environment; masked in whatever a server says
    answers         what may come of a call, and how servers word their errors
    chat_answers    requests to /chat/completions and what comes back
    reward_answers  the shapes in which reward models answer
    attempt         one try of one call, and how it ended
    retries         how long to wait before the next one
    concurrency     how many requests at a time; queues: what waits in a vLLM
    rates           requests and tokens a minute
    failures        when too many calls fail
    replicas        which server next; those that are out, and whether they are back
    batches         the calls of one caller, and which call is next
    dispatch        the window of requests: whatever happens to a call
    window          a thread with an event loop around it, which callers in other threads share
    models          the roles of `synth_assets.roles`

One window of requests is kept full, without batches: no call waits for another's end. A bad call is a failed result with the
server's own words. A server that is gone pauses the calls until it is back, or a deadline; what came before is with the
caller already.

Limits: answers are not streamed. Proxies named by the environment are not used. Redirects are not followed, since the key
would go along.
"""

from synth_assets.inference.server.identity import server_fingerprint
from synth_assets.inference.server.models import open_server_reward_model, open_server_text_model
from synth_assets.inference.server.window import NOTICES

__all__ = ["NOTICES", "open_server_reward_model", "open_server_text_model", "server_fingerprint"]
