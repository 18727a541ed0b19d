/* What explorer.py has recorded of the runs. */

export const recorded = JSON.parse(document.getElementById("recorded").textContent);
