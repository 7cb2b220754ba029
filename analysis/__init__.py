"""Tables, figures and a report from result files alone: `from analysis import load_results, summarize`
(docs/analysis.md)."""

from analysis.summary import load_results, summarize, what_differs

__all__ = ["load_results", "summarize", "what_differs"]
