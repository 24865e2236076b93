"""Everything that is shown: `output/FORMAT/TYPE.py` holds `TYPE_FORMAT`, such as `text/result.py`
`result_text`; `json` is plain data, for `json.dumps`.
"""
