package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

// Title says what was fetched over what.
func Title(f compare.Findings) string {
	s := fmt.Sprintf("%s: %s, %s", f.Workload.Name, linger.Plural(f.Workload.Exchanges, "request"), finding.Bytes(float64(f.Workload.Bytes)))
	if isDNS(f) {
		s = f.Workload.Name + ": " + linger.Plural(f.Workload.Exchanges, "query")
	}
	if t := security(f); t != "" {
		s += ", " + t
	}
	n := f.Network
	var parts []string
	if v, ok := n.RTT.Get(); ok {
		rate := func(o linger.Opt[float64]) linger.Rate { return linger.Rate(o.Or(0) * float64(linger.Kbps)) }
		parts = append(parts, finding.Trimmed(v, 2)+" ms RTT")
		if n.Down == n.Up {
			parts = append(parts, rate(n.Down).String())
		} else {
			parts = append(parts, rate(n.Down).String()+" down", rate(n.Up).String()+" up")
		}
		if loss := n.Loss.Or(0); loss > 0 {
			parts = append(parts, finding.Trimmed(100*loss, 2)+" % loss")
		}
		if q := queue(n.Queue); q != "" {
			parts = append(parts, q)
		}
	}
	where := strings.Join(parts, ", ")
	switch {
	case n.Name != "" && where != "":
		s += " · " + n.Name + ": " + where
	case n.Name != "" || where != "":
		s += " · " + n.Name + where
	}
	return s
}

// queue tells how much waiting the path has room for, where that is not as usual.
func queue(r compare.Room) string {
	usual := linger.DefaultQueue.Seconds() * 1000
	down, up := r.Down.Or(usual), r.Up.Or(usual)
	switch {
	case whole(down) == whole(usual) && whole(up) == whole(usual):
		return ""
	case whole(down) == whole(up):
		return "queues of " + emptying(down)
	}
	return "queues of " + emptying(down) + " down, " + emptying(up) + " up"
}

// emptying writes how long a full queue takes to empty, in ms, to the hundredth of
// its unit: it follows from a size in bytes.
func emptying(ms float64) string {
	unit := 0.01
	if ms >= 1000 {
		unit = 10
	}
	return finding.Lasting(math.Round(ms/unit) * unit)
}

// Brief is Origin in a few words, for where there is one line.
func Brief(f compare.Findings) string {
	trials := ran(f)
	switch {
	case f.Provenance == trace.Predicted && f.Trials == 1:
		return "Predicted by the simulator, not measured."
	case f.Provenance == trace.Predicted:
		return "Predicted by the simulator, not measured: " + trials + "."
	case f.Provenance != trace.Measured:
		return Origin(f, "")
	}
	where := map[string]string{"lab": "Measured in the lab: ", "live": "Measured on the real network: "}[f.Engine]
	ci := ""
	if _, ok := Confidence(f); ok {
		ci = fmt.Sprintf(" (CI ±%s)", reach(f))
	}
	if f.Trials > 1 {
		trials = strings.Replace(trials, "trials each", "interleaved trials", 1) // of each
	}
	return cmp.Or(where, "Measured: ") + trials + ci + "."
}

// Origin says how the figures came about: what measured or predicted them, from how many
// trials, and how wide their intervals are.
func Origin(f compare.Findings, version string) string {
	how := "Nothing measured"
	switch {
	case f.Provenance == trace.Predicted:
		how = "Predicted by the simulator, not measured"
	case f.Provenance == trace.Measured && f.Engine == "lab":
		how = "Measured in the lab"
	case f.Provenance == trace.Measured && f.Engine == "live":
		how = "Measured on the real network"
	case f.Provenance != "":
		how = strings.ToUpper(string(f.Provenance[:1])) + string(f.Provenance[1:])
		if f.Engine != "" {
			how += " (" + f.Engine + ")"
		}
	}
	s := how + ": " + ran(f)
	if f.Provenance == trace.Measured && f.Trials > 1 {
		s += ", interleaved"
	}
	if f.Trials > 1 {
		s += ", medians"
	}
	if c, ok := Confidence(f); ok {
		s += fmt.Sprintf(" (%s %% CI within ±%s)", finding.Trimmed(100*c, 0), reach(f))
	}
	s += fmt.Sprintf(", seed %d", f.Seed)
	if version != "" {
		s += ", linger " + version
	}
	var agents []string
	for _, r := range f.Rows {
		if a := table.Clean(r.Agent); a != "" && !slices.Contains(agents, a) {
			agents = append(agents, a)
		}
	}
	if len(agents) > 0 {
		s += ", " + strings.Join(agents, ", ")
	}
	return s + "."
}

// reach is how far the widest interval of a time reaches from its median: "1.2 %".
func reach(f compare.Findings) string {
	most := 0.0
	for _, r := range f.Rows {
		t, _ := r.Time.Get()
		switch d, ok := t.Doubt().Get(); {
		case ok && t.Median > 0:
			most = max(most, d/t.Median)
		case !t.Low.IsZero():
			return "more" // open above
		}
	}
	if most < 0.1 {
		return finding.Fixed(math.Ceil(1000*most)/10, 1) + " %"
	}
	return finding.Fixed(math.Ceil(100*most), 0) + " %"
}

// ran is how many trials of each strategy there were: "5 trials", "0 to 2 of 5 trials".
func ran(f compare.Findings) string {
	planned := linger.Plural(f.Trials, "trial") + " each"
	if len(f.Rows) == 0 {
		return planned
	}
	least, most := f.Rows[0].Trials, 0
	for _, r := range f.Rows {
		least, most = min(least, r.Trials), max(most, r.Trials)
	}
	switch {
	case least == f.Trials && most == f.Trials:
		return planned
	case least == most:
		return fmt.Sprintf("%d of %s", most, planned)
	}
	return fmt.Sprintf("%d to %d of %s", least, most, planned)
}

// Legend says what the marks and columns of the tables mean; best is how the row of the
// fastest strategy is marked.
func Legend(f compare.Findings, best string) string {
	var parts []string
	if f.Verdict.Best != "" && len(f.Rows) > 1 {
		parts = append(parts, best+" fastest")
	}
	if slices.ContainsFunc(f.Rows, func(r compare.Row) bool { return r.NotHonoured }) {
		parts = append(parts, "! was not honoured, see the caveats")
	}
	parts = append(parts, "medians; kB are bytes on the wire")
	if c, ok := Confidence(f); ok {
		parts = append(parts, fmt.Sprintf("CI: the interval that holds the true median with %s %% confidence", finding.Trimmed(100*c, 0)))
	}
	for _, r := range f.Rows {
		if !r.Sockets.ClientPeak.IsZero() || !r.CPU.Client.IsZero() {
			parts = append(parts, "a/b is client/server")
			break
		}
	}
	if isDNS(f) {
		parts = append(parts, "a query's time is from wanting to having its answer", "an additional one is on a kept connection")
	}
	for _, r := range f.Rows {
		if hasSetUp(f) && !r.SetupRoundTrips.IsZero() {
			parts = append(parts, "setup is until a request may be sent")
			break
		}
	}
	return strings.Join(parts, "; ") + "."
}

// security names what the connections were secured with: "TLS 1.3".
func security(f compare.Findings) string {
	if f.Workload.Scheme != "https" {
		return ""
	}
	var versions []string
	for _, r := range f.Rows {
		for _, v := range r.TLSVersions() {
			if !slices.Contains(versions, v) {
				versions = append(versions, v)
			}
		}
	}
	slices.Sort(versions)
	return strings.TrimSpace("TLS " + strings.Join(versions, " and "))
}

// Facets say what was fetched and over what, one by one.
func Facets(f compare.Findings) [][2]string {
	rate := func(o linger.Opt[float64]) string { return linger.Rate(o.Or(0) * float64(linger.Kbps)).String() }
	out := [][2]string{
		{"Workload", fmt.Sprintf("%s: %s, %s of content", table.Clean(f.Workload.Name), linger.Plural(f.Workload.Exchanges, "request"), finding.Bytes(float64(f.Workload.Bytes)))},
		{"Security", cmp.Or(security(f), "none: cleartext")},
	}
	if f.Workload.Scheme != "http" && f.Workload.Scheme != "https" {
		out = out[:1] // it is the strategy's
	}
	n := f.Network
	if name := table.Clean(n.Name); name != "" {
		out = append(out, [2]string{"Network", name})
	}
	if v, ok := n.RTT.Get(); ok {
		out = append(out, [2]string{"Round-trip time", finding.Lasting(v)}, [2]string{"Rate", rate(n.Down) + " down, " + rate(n.Up) + " up"},
			[2]string{"Loss", finding.Trimmed(100*n.Loss.Or(0), 2) + " % of packets, up and down"})
		down, ok := n.Queue.Down.Get()
		up, ok2 := n.Queue.Up.Get()
		if ok && ok2 {
			out = append(out, [2]string{"Queues", emptying(down) + " down, " + emptying(up) + " up"})
		}
	}
	return out
}
