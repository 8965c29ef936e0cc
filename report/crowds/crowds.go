// Package crowds says what is to be seen of a comparison for many clients: what they did and what
// the server has for them, tables of what each strategy comes to, and the lines that stand around
// them. It lays out nothing.
package crowds

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/crowd"
	"linger/finding"
	"linger/policy"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
	"linger/trace"
)

// Title says what was fetched by whom, over what, and from whom.
func Title(r *crowd.Result) string {
	e := r.Experiment
	return strings.Join([]string{report.Load(compare.WorkloadOf(e.Workload)), Clients(e.Crowd), Path(e), Servers(e)}, " · ")
}

// Short is Title without the servers' limits and the network's name and figures.
func Short(r *crowd.Result) string {
	e := r.Experiment
	parts := []string{report.Load(compare.WorkloadOf(e.Workload)), Clients(e.Crowd)}
	if e.Crowd.Shared {
		parts = append(parts, "behind one bottleneck")
	}
	if n := e.Crowd.Servers(); n > 1 {
		parts = append(parts, linger.Plural(n, "server"))
	}
	return strings.Join(parts, " · ")
}

// Clients says how many there are and what each does: "50 clients at once, 2 pages each, 5 s
// between pages".
func Clients(c linger.Crowd) string {
	parts := []string{linger.Plural(c.Clients, "client")}
	switch {
	case c.Clients == 1:
	case c.Arrivals > 0:
		parts = append(parts, finding.Setting(c.Arrivals)+" a second at random")
	default:
		parts[0] += " at once"
	}
	switch {
	case c.Visits == 0:
		parts = append(parts, "pages for "+lasting(c.Duration))
	case c.Duration > 0:
		parts = append(parts, linger.Plural(c.Visits, "page")+" each, for "+lasting(c.Duration)+" at most")
	default:
		parts = append(parts, linger.Plural(c.Visits, "page")+" each")
	}
	if c.Visits != 1 {
		parts = append(parts, think(c.Think))
	}
	return strings.Join(parts, ", ")
}

// think says how long a client waits between two pages.
func think(t linger.Think) string {
	switch {
	case t.Mean() == 0:
		return "no pause between"
	case t.Random:
		return lasting(t.Least) + " between pages in the mean"
	case t.Most > t.Least:
		return lasting(t.Least) + " to " + lasting(t.Most) + " between pages"
	}
	return lasting(t.Least) + " between pages"
}

// Path says what the clients have for a network, and whether they share it.
func Path(e *crowd.Experiment) string {
	path := report.Path(compare.NetworkOf(e.Network))
	switch {
	case e.Crowd.Shared:
		return "all behind one bottleneck" + behind(path)
	case e.Crowd.Clients == 1:
		return cmp.Or(path, "one client's network")
	}
	return "a link for each" + behind(path)
}

// behind puts a text behind a colon, if there is one.
func behind(text string) string {
	if text == "" {
		return ""
	}
	return ", " + text
}

// Servers says how many servers there are, how they are chosen, and what each has for its
// connections: "server with 20 workers, idle timeout 15 s".
func Servers(e *crowd.Experiment) string {
	c, parts, with := e.Crowd, []string{"server"}, "with "
	if n := max(1, c.Backends); c.Servers() > 1 {
		parts[0], with = linger.Plural(n, "server")+" "+balanced(c.Balance), "each with "
	}
	if c.AddAt > 0 {
		parts = append(parts, "one more after "+lasting(c.AddAt))
	}
	switch {
	case c.RestartAt > 0 && c.Servers() > 1:
		parts = append(parts, "the first restarted after "+lasting(c.RestartAt))
	case c.RestartAt > 0:
		parts = append(parts, "restarted after "+lasting(c.RestartAt))
	}
	if within, does := c.Reconnect.Get(); does {
		parts = append(parts, "clients reconnect "+reconnects(within))
	}
	limits := with + strings.Join(limitsOf(e.Capacity, e.Server), ", ")
	switch {
	case e.Unsaid():
		return "a server of your own, of unknown limits"
	case e.Own:
		return "a server of your own " + limits
	case limits == with:
		limits = "without limits"
	}
	if len(parts) == 1 && c.Servers() == 1 {
		return parts[0] + " " + limits
	}
	return strings.Join(append(parts, limits), ", ")
}

// balanced says how a server is chosen for a connection.
func balanced(b linger.Balance) string {
	return cmp.Or(map[linger.Balance]string{
		linger.LeastConnections: "by fewest connections", linger.RandomBalance: "at random", linger.HashBalance: "by the client’s address",
	}[b], "in turn")
}

// limitsOf are what a server has for its connections, and for how long and for what it keeps them.
func limitsOf(c policy.Capacity, s policy.ServerPolicy) (out []string) {
	add := func(there bool, format string, args ...any) {
		if there {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(c.Workers > 0, "%s", linger.Plural(c.Workers, "worker"))
	full := map[policy.Full]string{policy.FullRefuse: "others refused", policy.FullCloseIdle: "the longest idle one gives way"}[c.WhenFull]
	add(c.MaxConnections > 0, "%s at most (%s)", linger.Plural(c.MaxConnections, "connection"), cmp.Or(full, "others wait"))
	add(c.Backlog > 0, "backlog %d", c.Backlog)
	add(c.Service > 0, "%s of %s a request", lasting(c.Service), linger.Plural(max(1, c.Cores), "core"))
	add(s.IdleTimeout > 0, "idle timeout %s", lasting(s.IdleTimeout))
	add(s.MaxRequests > 0, "%s a connection", linger.Plural(s.MaxRequests, "request"))
	add(s.MaxAge > 0, "connections at most %s old", lasting(s.MaxAge))
	return out
}

// Brief says in one line how the figures came about.
func Brief(r *crowd.Result) string {
	e := r.Experiment
	switch {
	case e.Provenance == trace.Predicted && e.Trials == 1:
		return "Predicted by the simulator, not measured."
	case e.Provenance == trace.Predicted:
		return "Predicted by the simulator, not measured: " + ran(r) + "."
	}
	return cmp.Or(map[string]string{"lab": "Lab: ", "live": "Real network: "}[e.Engine], "Measured: ") + ran(r) + "."
}

// Origin says all of it.
func Origin(r *crowd.Result, version string) string {
	e := r.Experiment
	how := "Measured in the lab"
	switch {
	case e.Provenance == trace.Predicted:
		how = "Predicted by the simulator, not measured"
	case e.Engine != "lab":
		how = "Measured on the real network"
	}
	s := fmt.Sprintf("%s: %s, seed %d", how, ran(r), e.Seed)
	if version != "" {
		s += ", linger " + version
	}
	return s + "."
}

// ran is how many trials of each strategy there were.
func ran(r *crowd.Result) string {
	planned := linger.Plural(r.Experiment.Trials, "trial") + " each"
	least, most := r.Experiment.Trials, 0
	for _, row := range r.Rows {
		least, most = min(least, row.Trials), max(most, row.Trials)
	}
	switch {
	case len(r.Rows) == 0 || least == r.Experiment.Trials && most == least:
		return planned
	case least == most:
		return fmt.Sprintf("%d of %s", most, planned)
	}
	return fmt.Sprintf("%d to %d of %s", least, most, planned)
}

// Legend says what the heads and marks of the tables mean.
func Legend(r *crowd.Result) string {
	parts := []string{
		"A page’s time is from wanting its first object to the last byte of its last",
		"over all pages of all clients",
		"waits: in the accept queue, until the server took the connection",
		"held: sockets at the server, mean over time and peak",
	}
	if limited(r) {
		parts = append(parts, "workers: connections that the server has taken, mean over time")
	}
	parts = append(parts, TimeWait+": the most at the clients and at the server")
	if lost(r) {
		parts = append(parts, AtLeast+": at least; that many pages failed, or had not ended")
	}
	for _, row := range r.Rows {
		if c, ok := row.Pages.Interval.Or(finding.Interval{}).Confidence.Get(); ok {
			parts = append(parts, fmt.Sprintf("from, to: the interval that holds the true median with %s %% confidence, by the trials", finding.Trimmed(100*c, 0)))
			break
		}
	}
	return strings.Join(parts, "; ") + "."
}

// AtLeast stands before what may be longer: pages that have failed or not ended count as longer
// than any.
const AtLeast = "≥"

// lost reports whether any page was not loaded.
func lost(r *crowd.Result) bool {
	for _, row := range r.Rows {
		if row.Pages.Loaded < row.Pages.Wanted {
			return true
		}
	}
	return false
}

// limited reports whether the server has so many workers, or takes so many connections.
func limited(r *crowd.Result) bool {
	return r.Experiment.Capacity.Workers > 0 || r.Experiment.Capacity.MaxConnections > 0
}

// Facets say what was done and where, one by one.
func Facets(r *crowd.Result) [][2]string {
	e := r.Experiment
	w := compare.WorkloadOf(e.Workload)
	out := [][2]string{
		{"Workload", report.Load(w)}, {"Clients", Clients(e.Crowd)}, {"Network", Path(e)}, {"Servers", Servers(e)},
		{"Seed", fmt.Sprint(e.Seed)}, {"Trials", ran(r)},
	}
	if !e.Began.IsZero() {
		out = append(out, [2]string{"Began", e.Began.UTC().Format("2006-01-02 15:04:05 UTC")})
	}
	for i := range out {
		out[i][1] = table.Clean(out[i][1])
	}
	return out
}

// lasting writes a length of time that was set.
func lasting(d time.Duration) string { return finding.Lasting(float64(d) / 1e6) }

// Said is the verdict in sentences: what to do, and one after another why.
func Said(v crowd.Verdict) (t words.Text) {
	for i, f := range v.Findings {
		if text := words.Finding(f); i == 0 {
			t.Lead = text
		} else {
			t.Facts = append(t.Facts, text)
		}
	}
	return t
}

// foremost are the findings that there is room for first: who is not served, until when keeping
// pays, and what came of servers that came and went.
var foremost = []string{
	crowd.Unserved, crowd.Waiting, crowd.Turned, crowd.BreakEven, crowd.Predicted, crowd.Differ, crowd.Parts, crowd.Added, crowd.Restarted, crowd.Holds, crowd.Opens,
}

// Foremost is what is said besides what to do, the most important first.
func Foremost(v crowd.Verdict) []string {
	rank := func(f finding.Finding) int {
		if i := slices.Index(foremost, f.Code); i >= 0 {
			return i
		}
		return len(foremost)
	}
	rest := slices.Clone(v.Findings[min(1, len(v.Findings)):])
	slices.SortStableFunc(rest, func(a, b finding.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	out := make([]string, len(rest))
	for i, f := range rest {
		out[i] = words.Finding(f)
	}
	return out
}

// reconnects says when clients open another connection in the place of one that they lost.
func reconnects(within time.Duration) string {
	if within == 0 {
		return "at once"
	}
	return "within " + lasting(within)
}
