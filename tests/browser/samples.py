"""Answers as models give them, for what is shown."""

ANSWER = """The **conch** is a *marine snail*; its shell has been blown as a horn for ages.

1. Cut the tip of the spire.
2. Smooth the edge:
   - with sand,
   - or with a file.

| part | named | since |
|:-----|:-----:|------:|
| spire | apex | 1758 |
| lip | outer lip | 1811 |

```python
def blow(shell: "Conch", seconds: float = 2.0) -> str:
    \"\"\"Return what is heard.\"\"\"
    return "toot" * int(seconds * shell.volume)
```

> Triton, the sea god, speaks through it.

Its spiral follows $r = a e^{b\\theta}$; see [the reference](https://example.org/conch).
"""

SCRIPT = """Sure. `</script>` in text is only text.

~~~js
const ways = ["</script>", "`", "~~~ not the end"];
~~~

Done."""
