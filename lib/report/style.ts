/** The report's style sheet. */
export const style = `
:root { --ground: #101417; --card: #181e22; --line: #2b343a; --text: #e6ebee; --soft: #9fb0ba; --accent: #4cc3b0; --warn: #f0b35a; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; padding: 1rem 1.5rem .75rem; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.2rem; font-weight: 600; margin: 0; }
header p { color: var(--soft); margin: 0; white-space: nowrap; }
h2 { font-size: .8rem; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); margin: 0 0 .6rem; }
main { display: grid; grid-template-columns: minmax(0, 1fr) 26rem; gap: 1.25rem; padding: 1.25rem 1.5rem; max-width: 1500px; margin: 0 auto; align-items: start; }
@media (max-width: 1000px) { main { grid-template-columns: minmax(0, 1fr); } }
aside { display: grid; gap: 1.25rem; }
.card, .viewer { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.1rem; min-width: 0; }
.table { grid-column: 1 / -1; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: center; margin-bottom: .6rem; }
.group { display: inline-flex; flex-wrap: wrap; }
label { color: var(--soft); display: inline-flex; gap: .4rem; align-items: center; }
button, select, input[type=number] { font: inherit; color: var(--text); background: #222a30; border: 1px solid var(--line); padding: .25rem .6rem; border-radius: 6px; }
input[type=number] { width: 5.6rem; }
.group button { border-radius: 0; margin-left: -1px; }
.group button:first-child { border-radius: 6px 0 0 6px; margin-left: 0; }
.group button:last-child { border-radius: 0 6px 6px 0; }
button { cursor: pointer; }
button:hover { border-color: var(--accent); }
button[aria-pressed=true] { background: var(--accent); border-color: var(--accent); color: #06201c; font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
input[type=range] { accent-color: var(--accent); flex: 1; min-width: 0; }
.stage { position: relative; width: 100%; max-height: 78vh; margin: 0 auto; background: #000; border-radius: 6px; overflow: hidden; cursor: crosshair; touch-action: none; user-select: none; }
.pane { position: absolute; inset: 0; overflow: hidden; display: flex; align-items: center; justify-content: center; }
.pane canvas { position: absolute; width: 100%; height: 100%; object-fit: contain; transform-origin: 0 0; }
.side .pane { width: 50%; }
.side #pane1 { left: 50%; border-left: 1px solid var(--line); }
#divider { position: absolute; top: 0; bottom: 0; width: 24px; margin-left: -12px; cursor: ew-resize; }
#divider::before { content: ""; position: absolute; left: 11px; top: 0; bottom: 0; width: 2px; background: var(--accent); opacity: .9; }
#divider span { position: absolute; left: 0; bottom: 14px; width: 24px; height: 36px; border-radius: 12px; background: var(--accent); }
#divider span::before { content: "\\2194"; color: #06201c; font-weight: 700; line-height: 36px; display: block; text-align: center; }
.tag { position: absolute; padding: .1rem .5rem; background: rgb(0 0 0 / .6); border-radius: 5px; font-size: .85rem; pointer-events: none; font-variant-numeric: tabular-nums; }
.tag:empty { display: none; }
.tl { top: .5rem; left: .5rem; } .tr { top: .5rem; right: .5rem; } .bl { bottom: .5rem; left: .5rem; } .br { bottom: .5rem; right: .5rem; }
.wide { display: flex; margin-top: .6rem; }
.wide output { color: var(--text); font-variant-numeric: tabular-nums; white-space: nowrap; }
.strip { margin-top: .5rem; }
.strip svg { display: block; width: 100%; height: 44px; }
.strip rect { fill: #3b4a52; } .strip .on { fill: var(--soft); cursor: pointer; } .strip .now { fill: var(--accent); }
.keys, .fine { color: var(--soft); font-size: .82rem; margin: .7rem 0 0; }
kbd { font: inherit; border: 1px solid var(--line); border-radius: 4px; padding: 0 .3rem; background: #222a30; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem .9rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.1rem; display: grid; gap: .4rem; }
.warning { color: var(--warn); }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { text-align: right; padding: .22rem .6rem; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--soft); position: sticky; top: 0; background: var(--card); }
th:first-child, td:first-child { text-align: left; }
tr.now { background: rgb(76 195 176 / .14); }
td button, th button { padding: 0 .5rem; min-width: 3rem; }
.scroll { max-height: 26rem; overflow: auto; }
`;
