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

// NoLoss is what a title says of a path that loses nothing; it goes first where there is no
// room.
const NoLoss = "no loss"

// Title says what was fetched over what.
func Title(f compare.Findings) string { return loadOf(f) + over(f.Network) }

// Load is what was fetched, as Title has it.
func Load(w compare.Workload) string { return loadOf(compare.Findings{Workload: w}) }

// Path is what it was fetched over, as Title has it; nothing where nothing is known of that.
func Path(n compare.Network) string { return strings.TrimPrefix(over(n), " · ") }

// loadOf says what was fetched: "gallery: 41 requests, 616 kB, TLS 1.3".
func loadOf(f compare.Findings) string {
	s := fmt.Sprintf("%s: %s, %s", f.Workload.Name, linger.Plural(f.Workload.Exchanges, "request"), finding.Bytes(float64(f.Workload.Bytes)))
	if isDNS(f) {
		s = f.Workload.Name + ": " + linger.Plural(f.Workload.Exchanges, "query")
	}
	if t := security(f); t != "" {
		s += ", " + t
	}
	return s
}

// over says over what, behind what was fetched: " · lte: 70 ms RTT, 12 Mbit/s, no loss".
func over(n compare.Network) string {
	var parts []string
	if v, ok := n.RTT.Get(); ok {
		rate := func(o linger.Opt[float64]) linger.Rate { return linger.Rate(o.Or(0) * float64(linger.Kbps)) }
		parts = append(parts, finding.Trimmed(v, 2)+" ms RTT")
		parts = append(parts, rates(rate(n.Down).String(), rate(n.Up).String()))
		if loss := n.Loss.Or(0); loss > 0 {
			parts = append(parts, finding.Trimmed(100*loss, 2)+" % loss")
		} else {
			parts = append(parts, NoLoss)
		}
		if q := queue(n); q != "" {
			parts = append(parts, q)
		}
	}
	where, name := strings.Join(parts, ", "), n.Named() // what differs from it stands behind it
	switch {
	case name != "" && where != "":
		return " · " + name + ": " + where
	case name != "" || where != "":
		return " · " + name + where
	}
	return ""
}

// rates writes the rates down and up: "12 Mbit/s", "20/3 Mbit/s", "1600 kbit/s down, 1 Mbit/s up".
func rates(down, up string) string {
	fast, unit, _ := strings.Cut(down, " ")
	slow, other, _ := strings.Cut(up, " ")
	switch {
	case down == up:
		return down
	case unit != "" && unit == other:
		return fast + "/" + slow + " " + unit
	}
	return down + " down, " + up + " up"
}

// queue tells how much waiting the path has room for, where that is not as usual.
func queue(n compare.Network) string {
	r := n.Queue
	// A slow link has room for so many packets, which take longer.
	byDefault := func(rate, bytes linger.Opt[float64]) bool {
		room := linger.Network{Queue: linger.DefaultQueue}.QueueBytes(linger.Rate(rate.Or(0) * float64(linger.Kbps)))
		return bytes == linger.Known(float64(room))
	}
	if byDefault(n.Down, n.QueueBytes.Down) && byDefault(n.Up, n.QueueBytes.Up) {
		return ""
	}
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
	where := map[string]string{"lab": "Lab: ", "live": "Real network: "}[f.Engine]
	ci := ""
	if c, ok := Confidence(f); ok {
		by, of := reach(f)
		ci = fmt.Sprintf("; widest %s %% CI ±%s (%s)", finding.Trimmed(100*c, 0), by, of)
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
		by, of := reach(f)
		s += fmt.Sprintf("; widest %s %% CI ±%s (%s)", finding.Trimmed(100*c, 0), by, of)
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

// reach is how far the widest interval of a time reaches from its median, "1.2 %", and whose
// that is.
func reach(f compare.Findings) (by, of string) {
	most, of := widest(f)
	switch {
	case math.IsInf(most, 1):
		return "∞", of // open above
	case most < 0.1:
		return finding.Fixed(math.Ceil(1000*most)/10, 1) + " %", of
	}
	return finding.Fixed(math.Ceil(100*most), 0) + " %", of
}

// widest is the same as a share of the median.
func widest(f compare.Findings) (most float64, of string) {
	most = -1
	for _, r := range f.Rows {
		t, _ := r.Time.Get()
		switch d, ok := t.Uncertainty().Get(); {
		case ok && t.Median > 0 && d/t.Median > most:
			most, of = d/t.Median, table.Clean(r.Strategy)
		case !ok && !t.Low.IsZero():
			return math.Inf(1), table.Clean(r.Strategy)
		}
	}
	return most, of
}

// early names the strategies that ended early, since so many trials had settled their order
// (docs/statistics.md): all others ran as often as planned.
func early(f compare.Findings) (names string, trials int) {
	var list []string
	for _, r := range f.Rows {
		switch {
		case r.Trials == f.Trials:
		case r.Failed > 0 || trials > 0 && r.Trials != trials || slices.ContainsFunc(f.Caveats, func(c finding.Caveat) bool { return c.Code == compare.Interrupted }):
			return "", 0
		default:
			list, trials = append(list, table.Clean(r.Strategy)), r.Trials
		}
	}
	if len(list) == len(f.Rows) {
		return "", 0
	}
	return strings.Join(list, ", "), trials
}

// ran is how many trials of each strategy there were: "5 trials", "0 to 2 of 5 trials".
func ran(f compare.Findings) string {
	planned := linger.Plural(f.Trials, "trial") + " each"
	if len(f.Rows) == 0 {
		return planned
	}
	if of, n := early(f); of != "" {
		return fmt.Sprintf("%s (%s: %d, settled)", planned, of, n)
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
	parts = append(parts, "medians; wire kB is what crossed the link, with all headers")
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
	} else if slices.ContainsFunc(f.Rows, func(r compare.Row) bool { return !r.Request.IsZero() }) {
		parts = append(parts, "a request's time is from wanting it to the last byte of its answer")
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
	if f.Workload.Scheme != linger.SchemeHTTPS {
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
	if f.Workload.Scheme != linger.SchemeHTTP && f.Workload.Scheme != linger.SchemeHTTPS {
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
