"""Tables 2 and 3, figures 5, 6 and 7, the health curves and the HTML page of a run."""
