"""The report: everything that runs have shown, as one HTML file, a Markdown table, JSON or CSV.

The last step of the dataflow. `gather` reads records and artifacts; `render`, `to_markdown`, `to_json`
and `to_csv` show them. Nothing here measures; what was not given has no section.
"""

from dcgan_edge.report.animation import animate
from dcgan_edge.report.content import ReportContent, WorstSeed, worst_seed
from dcgan_edge.report.data import to_csv, to_json
from dcgan_edge.report.gather import gather
from dcgan_edge.report.markdown import to_markdown
from dcgan_edge.report.page import render, require_libraries
from dcgan_edge.report.writing import write_report

__all__ = [
    "ReportContent", "WorstSeed", "animate", "gather", "render", "require_libraries", "to_csv", "to_json",
    "to_markdown", "worst_seed", "write_report",
]  # fmt: skip
