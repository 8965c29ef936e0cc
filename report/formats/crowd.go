package formats

import (
	"fmt"
	"io"
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/crowd"
	"linger/finding"
	"linger/policy"
	"linger/report/crowds"
	"linger/report/words"
	"linger/trace"
)

// CrowdJSON writes what a comparison for many clients comes to; docs/crowd.md describes it.
func CrowdJSON(w io.Writer, r *crowd.Result, version string) error {
	return indented(w, crowdOf(r, version))
}

// The document of a crowd. Lengths of time are in ms; what is not known is absent.
type (
	crowdDocument struct {
		Format     string             `json:"format"`
		Linger     string             `json:"linger"`
		Workload   compare.Workload   `json:"workload"`
		Network    compare.Network    `json:"network"`
		Engine     string             `json:"engine"`
		Provenance trace.Provenance   `json:"provenance"`
		Seed       uint64             `json:"seed"`
		Trials     int                `json:"trials"`
		Began      time.Time          `json:"began,omitzero"`
		Machine    trace.Machine      `json:"machine,omitzero"`
		Clients    crowdClients       `json:"clients"`
		Servers    crowdServers       `json:"servers"`
		Rows       []crowdRow         `json:"rows"`
		Foreseen   []crowdForeseen    `json:"foreseen,omitempty"`
		Verdict    crowdVerdict       `json:"verdict"`
		Caveats    []words.ToldCaveat `json:"caveats"`
		Asserted   []assert.Result    `json:"assertions,omitempty"`
	}
	crowdClients struct {
		N        int                 `json:"n"`
		Arrivals float64             `json:"arrivals_per_s,omitempty"` // absent: all at once
		Visits   int                 `json:"pages,omitempty"`          // absent: as many as there is time for
		Think    crowdThink          `json:"think_ms"`
		Duration linger.Opt[float64] `json:"duration_ms,omitzero"`
		Shared   bool                `json:"shared_bottleneck"`
		// Reconnect is within which a client opens another connection for one that it lost.
		Reconnect linger.Opt[float64] `json:"reconnect_ms,omitzero"`
		Mix       []crowdShare        `json:"mix,omitempty"`
	}
	crowdThink struct {
		Mean   float64             `json:"mean"`
		Least  linger.Opt[float64] `json:"least,omitzero"`
		Most   linger.Opt[float64] `json:"most,omitzero"`
		Random bool                `json:"random,omitempty"`
	}
	crowdShare struct {
		Strategy string `json:"strategy"`
		Weight   int    `json:"weight"`
	}
	crowdServers struct {
		N              int                 `json:"n"`
		Own            bool                `json:"own,omitempty"`
		Balance        linger.Balance      `json:"balance,omitempty"`
		Added          linger.Opt[float64] `json:"added_at_ms,omitzero"`
		Restarted      linger.Opt[float64] `json:"restarted_at_ms,omitzero"`
		Workers        int                 `json:"workers,omitempty"`
		MaxConnections int                 `json:"max_connections,omitempty"`
		WhenFull       policy.Full         `json:"when_full,omitempty"`
		Backlog        int                 `json:"backlog,omitempty"`
		Service        linger.Opt[float64] `json:"service_ms,omitzero"`
		Cores          int                 `json:"cores,omitempty"`
		IdleTimeout    linger.Opt[float64] `json:"idle_timeout_ms,omitzero"`
		MaxRequests    int                 `json:"max_requests,omitempty"`
		MaxAge         linger.Opt[float64] `json:"max_age_ms,omitzero"`
	}
	crowdRow struct {
		Strategy   string `json:"strategy"`
		Persistent bool   `json:"persistent"`
		Trials     int    `json:"trials"`
		Lost       int    `json:"trials_lost"`
		Overrun    int    `json:"trials_overrun"`
		Seen       struct {
			Came   linger.Opt[float64] `json:"came,omitzero"`
			Served linger.Opt[float64] `json:"served,omitzero"`
			Waited linger.Opt[float64] `json:"waited,omitzero"`
			Wait   linger.Opt[float64] `json:"wait_ms,omitzero"`
			Slow   linger.Opt[float64] `json:"slow_ms,omitzero"`
		} `json:"clients,omitzero"`
		crowdPages
		Rate    linger.Opt[float64] `json:"pages_per_s,omitzero"`
		Waits   crowdWaits          `json:"wait_ms"`
		AtLeast crowdQuantiles      `json:"wait_at_least_ms,omitzero"`
		Refused int                 `json:"refused"`
		Opened  int                 `json:"opened"`
		PerPage linger.Opt[float64] `json:"connections_per_page,omitzero"`
		Each    linger.Opt[float64] `json:"connections_per_client,omitzero"`
		Server  crowdSide           `json:"server"`
		Client  crowdSide           `json:"client"`
		Workers crowdLevel          `json:"workers,omitzero"`
		Queue   crowdLevel          `json:"accept_queue,omitzero"`
		Jain    linger.Opt[float64] `json:"jain,omitzero"`
		Shares  []crowdPart         `json:"shares,omitempty"`
		Balance crowdBalance        `json:"balance,omitzero"`
		Little  crowdLittle         `json:"little,omitzero"`
		Samples *crowdSamples       `json:"samples,omitempty"`
	}
	crowdPages struct {
		Pages struct {
			Wanted     int `json:"wanted"`
			Loaded     int `json:"loaded"`
			Failed     int `json:"failed"`
			Unfinished int `json:"unfinished"`
		} `json:"pages"`
		Time struct {
			crowdQuantiles
			Low        linger.Opt[float64] `json:"low,omitzero"`
			High       linger.Opt[float64] `json:"high,omitzero"`
			Confidence linger.Opt[float64] `json:"confidence,omitzero"`
		} `json:"page_ms"`
		TimeAtLeast crowdQuantiles `json:"page_at_least_ms,omitzero"`
	}
	crowdQuantiles struct {
		Median linger.Opt[float64] `json:"median,omitzero"`
		P95    linger.Opt[float64] `json:"p95,omitzero"`
		P99    linger.Opt[float64] `json:"p99,omitzero"`
		Worst  linger.Opt[float64] `json:"worst,omitzero"`
	}
	crowdWaits struct {
		N          int                 `json:"n"`
		Unfinished int                 `json:"unfinished"`
		Mean       linger.Opt[float64] `json:"mean,omitzero"`
		crowdQuantiles
	}
	crowdLevel struct {
		Mean linger.Opt[float64] `json:"mean,omitzero"`
		P99  linger.Opt[float64] `json:"p99,omitzero"`
		Peak linger.Opt[float64] `json:"peak,omitzero"`
	}
	crowdSide struct {
		Sockets  crowdLevel          `json:"sockets,omitzero"`
		TimeWait crowdLevel          `json:"time_wait,omitzero"`
		Memory   crowdLevel          `json:"memory_bytes,omitzero"`
		CPU      linger.Opt[float64] `json:"cpu_ms,omitzero"`
		Resident linger.Opt[float64] `json:"resident_memory_bytes,omitzero"`
	}
	crowdPart struct {
		Strategy string `json:"strategy"`
		Clients  int    `json:"clients"`
		crowdPages
		Rate  linger.Opt[float64] `json:"bytes_per_s,omitzero"`
		Ratio linger.Opt[float64] `json:"ratio_to_mean,omitzero"`
	}
	crowdBalance struct {
		Requests []int               `json:"requests,omitempty"`
		Uneven   linger.Opt[float64] `json:"largest_to_mean,omitzero"`
		Added    linger.Opt[float64] `json:"added_share,omitzero"`
		Last     linger.Opt[float64] `json:"added_share_last,omitzero"`
		Even     linger.Opt[float64] `json:"added_even_after_ms,omitzero"`
		Restart  struct {
			Handshakes linger.Opt[float64] `json:"handshakes_per_s,omitzero"`
			Before     linger.Opt[float64] `json:"handshakes_per_s_before,omitzero"`
			Queue      linger.Opt[float64] `json:"accept_queue,omitzero"`
			Calm       linger.Opt[float64] `json:"calm_after_ms,omitzero"`
		} `json:"restart,omitzero"`
	}
	crowdLittle struct {
		Rate      linger.Opt[float64] `json:"connections_per_s,omitzero"`
		Time      linger.Opt[float64] `json:"held_for_ms,omitzero"`
		Predicted linger.Opt[float64] `json:"predicted,omitzero"`
		Held      linger.Opt[float64] `json:"held,omitzero"`
		From      linger.Opt[float64] `json:"from_ms,omitzero"`
		To        linger.Opt[float64] `json:"to_ms,omitzero"`
		Why       string              `json:"why,omitempty"`
	}
	// Samples have a place for each instant; null is not known.
	crowdSamples struct {
		At             []float64           `json:"at_ms"`
		Server         []int               `json:"server_sockets"`
		ServerTimeWait []int               `json:"server_time_wait"`
		ServerMemory   []linger.Opt[int64] `json:"server_memory_bytes"`
		Taken          []linger.Opt[int]   `json:"server_taken"`
		Busy           []linger.Opt[int]   `json:"server_busy"`
		Waiting        []linger.Opt[int]   `json:"accept_queue"`
		Queued         []linger.Opt[int]   `json:"requests_queued"`
		Client         []int               `json:"client_sockets"`
		ClientTimeWait []int               `json:"client_time_wait"`
		ClientMemory   []linger.Opt[int64] `json:"client_memory_bytes"`
		Servers        [][]int             `json:"sockets_by_server,omitempty"`
	}
	crowdForeseen struct {
		Strategy    string              `json:"strategy"`
		Provenance  trace.Provenance    `json:"provenance"`
		IdleTimeout linger.Opt[float64] `json:"idle_timeout_ms,omitzero"` // absent: none
		Row         crowdRow            `json:"row"`
	}
	crowdVerdict struct {
		Best        string              `json:"best,omitempty"`
		Advice      string              `json:"advice"`
		Cause       string              `json:"cause,omitempty"`
		IdleTimeout linger.Opt[float64] `json:"idle_timeout_ms,omitzero"`
		BreakEven   linger.Opt[float64] `json:"break_even_ms,omitzero"`
		Foreseen    linger.Opt[float64] `json:"foreseen_ms,omitzero"`
		Text        string              `json:"text"`
		Findings    []finding.Finding   `json:"findings"`
	}
)

// set is a length of time in ms, absent where it is none.
func set(d time.Duration) linger.Opt[float64] { return known(float64(d)/1e6, d > 0) }

// lengthOf is a length of time in ms.
func lengthOf(o linger.Opt[time.Duration]) linger.Opt[float64] {
	d, ok := o.Get()
	return known(float64(d)/1e6, ok)
}

// crowdOf is the document of a result.
func crowdOf(r *crowd.Result, version string) crowdDocument {
	e := r.Experiment
	c, s, k := e.Crowd, e.Server, e.Capacity
	out := crowdDocument{
		Format: crowd.Format, Linger: version, Workload: compare.WorkloadOf(e.Workload), Network: compare.NetworkOf(e.Network), Engine: e.Engine, Provenance: e.Provenance,
		Seed: e.Seed, Trials: e.Trials, Began: e.Began, Machine: e.Machine, Caveats: words.OfCaveats(r.Caveats), Asserted: r.Asserted, Rows: []crowdRow{},
		Clients: crowdClients{N: c.Clients, Arrivals: c.Arrivals, Visits: c.Visits, Duration: set(c.Duration), Shared: c.Shared, Reconnect: lengthOf(c.Reconnect), Think: crowdThink{Mean: float64(c.Think.Mean()) / 1e6, Random: c.Think.Random}},
		Servers: crowdServers{
			N: max(1, c.Backends), Own: e.Own, Balance: c.Balance, Added: set(c.AddAt), Restarted: set(c.RestartAt), Workers: k.Workers, MaxConnections: k.MaxConnections, WhenFull: k.WhenFull, Backlog: k.Backlog,
			Service: set(k.Service), Cores: k.Cores, IdleTimeout: set(s.IdleTimeout), MaxRequests: s.MaxRequests, MaxAge: set(s.MaxAge),
		},
	}
	if c.Think.Most > c.Think.Least {
		out.Clients.Think.Least, out.Clients.Think.Most = set(c.Think.Least), set(c.Think.Most)
	}
	for _, share := range c.Mix {
		out.Clients.Mix = append(out.Clients.Mix, crowdShare{share.Strategy.Name, share.Weight})
	}
	for _, row := range r.Rows {
		out.Rows = append(out.Rows, crowdRowOf(row))
	}
	for _, f := range r.Foreseen {
		row := crowdRowOf(f.Row)
		row.Samples = nil // there are many of these
		out.Foreseen = append(out.Foreseen, crowdForeseen{f.Strategy, trace.Predicted, set(f.IdleTimeout), row})
	}
	v := r.Verdict
	out.Verdict = crowdVerdict{v.Best, v.Advice, v.Cause, lengthOf(v.IdleTimeout), lengthOf(v.BreakEven), lengthOf(v.Foreseen), crowds.Said(v).String(), append([]finding.Finding{}, v.Findings...)}
	return out
}

func crowdPagesOf(p crowd.Pages) (out crowdPages) {
	out.Pages.Wanted, out.Pages.Loaded, out.Pages.Failed, out.Pages.Unfinished = p.Wanted, p.Loaded, p.Failed, p.Unfinished
	i := p.Interval.Or(finding.Interval{})
	out.Time.crowdQuantiles, out.Time.Low, out.Time.High, out.Time.Confidence = crowdQuantiles(p.Quantiles), i.Low, i.High, i.Confidence
	out.TimeAtLeast = crowdQuantiles(p.AtLeast)
	return out
}

func crowdSideOf(s crowd.Side) crowdSide {
	return crowdSide{crowdLevel(s.Sockets), crowdLevel(s.TimeWait), crowdLevel(s.Memory), s.CPU, s.Resident}
}

func crowdRowOf(r crowd.Row) crowdRow {
	out := crowdRow{
		Strategy: r.Strategy, Persistent: r.Persistent, Trials: r.Trials, Lost: r.Lost, Overrun: r.Overrun, crowdPages: crowdPagesOf(r.Pages), Rate: r.Rate,
		Waits: crowdWaits{r.Waits.N, r.Waits.Unfinished, r.Waits.Mean, crowdQuantiles(r.Waits.Quantiles)}, AtLeast: crowdQuantiles(r.Waits.AtLeast),
		Refused: r.Refused, Opened: r.Opened, PerPage: r.PerPage, Each: r.Each, Server: crowdSideOf(r.Server), Client: crowdSideOf(r.Client),
		Workers: crowdLevel(r.Workers), Queue: crowdLevel(r.Queue), Jain: r.Jain, Samples: crowdSamplesOf(r.Series),
	}
	out.Seen.Came, out.Seen.Served, out.Seen.Waited, out.Seen.Wait, out.Seen.Slow = r.Clients.Came, r.Clients.Served, r.Clients.Waited, r.Clients.Wait, r.Clients.Slow
	for _, p := range r.Shares {
		out.Shares = append(out.Shares, crowdPart{p.Strategy, p.Clients, crowdPagesOf(p.Pages), p.Rate, p.Ratio})
	}
	b := r.Balance
	out.Balance = crowdBalance{Requests: b.Requests, Uneven: b.Uneven, Added: b.Added, Last: b.Last, Even: lengthOf(b.Even)}
	out.Balance.Restart.Handshakes, out.Balance.Restart.Before, out.Balance.Restart.Queue, out.Balance.Restart.Calm = b.Restart.Handshakes, b.Restart.Before, b.Restart.Queue, lengthOf(b.Restart.Calm)
	l := r.Little
	out.Little = crowdLittle{Rate: l.Rate, Time: l.Time, Predicted: l.Predicted, Held: l.Held, Why: l.Why}
	if l.To > 0 {
		out.Little.From, out.Little.To = linger.Known(l.From.Milliseconds()), linger.Known(l.To.Milliseconds())
	}
	return out
}

func crowdSamplesOf(series []trace.CrowdSample) *crowdSamples {
	if len(series) == 0 {
		return nil
	}
	out := &crowdSamples{}
	for _, s := range series {
		out.At = append(out.At, s.At.Milliseconds())
		out.Server, out.ServerTimeWait, out.ServerMemory = append(out.Server, s.Server.Sockets), append(out.ServerTimeWait, s.Server.TimeWait), append(out.ServerMemory, s.Server.Memory)
		out.Taken, out.Busy, out.Waiting, out.Queued = append(out.Taken, s.Server.Taken), append(out.Busy, s.Server.Busy), append(out.Waiting, s.Server.Waiting), append(out.Queued, s.Server.Queued)
		out.Client, out.ClientTimeWait, out.ClientMemory = append(out.Client, s.Client.Sockets), append(out.ClientTimeWait, s.Client.TimeWait), append(out.ClientMemory, s.Client.Memory)
		if len(s.Servers) > 1 {
			each := make([]int, len(s.Servers))
			for i, h := range s.Servers {
				each[i] = h.Sockets
			}
			out.Servers = append(out.Servers, each)
		}
	}
	return out
}

// CrowdCSV writes a line for each strategy, and below them one for each predicted idle timeout: the
// first columns say which.
func CrowdCSV(w io.Writer, r *crowd.Result) error {
	lines := make([]finding.Figures, 0, len(r.Rows)+len(r.Foreseen))
	for _, row := range r.Rows {
		lines = append(lines, crowdFigures(string(r.Experiment.Provenance), set(r.Experiment.Server.IdleTimeout), row))
	}
	for _, f := range r.Foreseen {
		lines = append(lines, crowdFigures(string(trace.Predicted), set(f.IdleTimeout), f.Row))
	}
	return CSV(w, crowdFigures("", linger.Opt[float64]{}, crowd.Row{}), lines...)
}

// crowdFigures are those of a row, by the names of the JSON.
func crowdFigures(provenance string, idle linger.Opt[float64], r crowd.Row) finding.Figures {
	var out row
	out.word("provenance", provenance)
	out.number("idle_timeout_ms", idle, "ms")
	out.word("strategy", r.Strategy)
	out.yes("persistent", r.Persistent)
	out.count("trials", r.Trials)
	out.count("trials_lost", r.Lost)
	out.count("trials_overrun", r.Overrun)
	out.number("clients.came", r.Clients.Came, "")
	out.number("clients.served", r.Clients.Served, "")
	out.number("clients.waited", r.Clients.Waited, "")
	out.number("clients.wait_ms", r.Clients.Wait, "ms")
	out.number("clients.slow_ms", r.Clients.Slow, "ms")
	out.count("pages.wanted", r.Pages.Wanted)
	out.count("pages.loaded", r.Pages.Loaded)
	out.count("pages.failed", r.Pages.Failed)
	out.count("pages.unfinished", r.Pages.Unfinished)
	out.quantiles("page_ms", r.Pages.Quantiles)
	i := r.Pages.Interval.Or(finding.Interval{})
	out.number("page_ms.low", i.Low, "ms")
	out.number("page_ms.high", i.High, "ms")
	out.number("page_ms.confidence", i.Confidence, "share")
	out.quantiles("page_at_least_ms", r.Pages.AtLeast)
	out.number("pages_per_s", r.Rate, "")
	out.count("wait_ms.n", r.Waits.N)
	out.count("wait_ms.unfinished", r.Waits.Unfinished)
	out.number("wait_ms.mean", r.Waits.Mean, "ms")
	out.quantiles("wait_ms", r.Waits.Quantiles)
	out.quantiles("wait_at_least_ms", r.Waits.AtLeast)
	out.count("refused", r.Refused)
	out.count("opened", r.Opened)
	out.number("connections_per_page", r.PerPage, "")
	out.number("connections_per_client", r.Each, "")
	for _, side := range []struct {
		name string
		of   crowd.Side
	}{{"server", r.Server}, {"client", r.Client}} {
		out.level(side.name+".sockets", side.of.Sockets, "")
		out.level(side.name+".time_wait", side.of.TimeWait, "")
		out.level(side.name+".memory_bytes", side.of.Memory, "bytes")
		out.number(side.name+".cpu_ms", side.of.CPU, "ms")
	}
	out.number("server.resident_memory_bytes", r.Server.Resident, "bytes")
	out.level("workers", r.Workers, "")
	out.level("accept_queue", r.Queue, "")
	out.number("jain", r.Jain, "")
	out.number("balance.largest_to_mean", r.Balance.Uneven, "")
	out.number("balance.added_share", r.Balance.Added, "share")
	out.number("balance.added_share_last", r.Balance.Last, "share")
	out.ms("balance.added_even_after_ms", r.Balance.Even)
	out.number("balance.restart.handshakes_per_s", r.Balance.Restart.Handshakes, "")
	out.number("balance.restart.handshakes_per_s_before", r.Balance.Restart.Before, "")
	out.number("balance.restart.accept_queue", r.Balance.Restart.Queue, "")
	out.ms("balance.restart.calm_after_ms", r.Balance.Restart.Calm)
	out.number("little.connections_per_s", r.Little.Rate, "")
	out.number("little.held_for_ms", r.Little.Time, "ms")
	out.number("little.predicted", r.Little.Predicted, "")
	out.number("little.held", r.Little.Held, "")
	out.word("little.why", r.Little.Why)
	return finding.Figures(out)
}

// quantiles adds those of a distribution.
func (r *row) quantiles(name string, q crowd.Quantiles) {
	r.number(name+".median", q.Median, "ms")
	r.number(name+".p95", q.P95, "ms")
	r.number(name+".p99", q.P99, "ms")
	r.number(name+".worst", q.Worst, "ms")
}

// level adds a quantity over time.
func (r *row) level(name string, l crowd.Level, unit string) {
	r.number(name+".mean", l.Mean, unit)
	r.number(name+".p99", l.P99, unit)
	r.number(name+".peak", l.Peak, unit)
}

// Crowd tells what a comparison for many clients found: whether each strategy loaded all pages,
// what it comes to, and its caveats.
func Crowd(r *crowd.Result, tool, version string) Report {
	e := r.Experiment
	t := Target{
		Kind: "workload", Name: e.Workload.Name, URI: referenceOf(e.Workload.Name), Asserted: r.Asserted,
		Labels:  []Label{{"workload", e.Workload.Name}, {"network", e.Network.Name}, {"provenance", string(e.Provenance)}, {"clients", fmt.Sprint(e.Crowd.Clients)}},
		Partial: slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == crowd.CaveatInterrupted }),
	}
	for _, row := range r.Rows {
		t.Findings = append(t.Findings, loadedOf(row))
		t.Metrics = append(t.Metrics, metricsOfCrowd(row)...)
	}
	t.say(r.Verdict.Findings, r.Caveats)
	return Report{Tool: tool, Version: version, Asserted: "the figures", Targets: []Target{t}}
}

// loadedOf says whether a strategy loaded all pages of all clients.
func loadedOf(r crowd.Row) Finding {
	out := Finding{
		Finding: finding.Finding{
			Code: "loaded", Severity: finding.Pass, Subject: finding.Subject{Kind: "strategy", Name: r.Strategy},
			Figures: finding.Figures{finding.Counted("wanted", r.Pages.Wanted), finding.Counted("loaded", r.Pages.Loaded)},
		},
		Rule: Rule{Group: "strategy", Short: "Every client loads its pages.", Full: "Every page that a client wants is loaded.", Level: finding.Error},
		Text: fmt.Sprintf("%d of %s were loaded", r.Pages.Loaded, linger.Plural(r.Pages.Wanted, "page")),
	}
	switch {
	case r.Pages.Wanted == 0:
		out.Severity, out.Text = finding.Unknown, "no page was wanted"
	case r.Pages.Loaded < r.Pages.Wanted:
		out.Severity = finding.Error
	}
	out.Told = r.Strategy + ": " + out.Text + "."
	return out
}

// metricsOfCrowd are the figures of a strategy. What was not measured is not there.
func metricsOfCrowd(r crowd.Row) []Metric {
	var m metrics
	on := Label{"strategy", r.Strategy}
	number := func(name, unit, help string, v linger.Opt[float64], labels ...Label) {
		if v, ok := v.Get(); ok {
			m.add(name, unit, help, v, append([]Label{on}, labels...)...)
		}
	}
	quantiles := func(name, help string, q crowd.Quantiles) {
		for _, one := range []struct {
			quantile string
			ms       linger.Opt[float64]
		}{{"0.5", q.Median}, {"0.95", q.P95}, {"0.99", q.P99}, {"1", q.Worst}} {
			number(name+"_seconds", "seconds", help, known(one.ms.Or(0)/1000, !one.ms.IsZero()), Label{"quantile", one.quantile})
		}
	}
	level := func(name, unit, help, side string, l crowd.Level) {
		var labels []Label
		if side != "" {
			labels = []Label{{"side", side}}
		}
		end := ""
		if unit != "" {
			end = "_" + unit
		}
		number(name+"_mean"+end, unit, help+", mean over time.", l.Mean, labels...)
		number(name+"_peak"+end, unit, help+", at most.", l.Peak, labels...)
	}
	number("pages_wanted", "", "Pages that clients wanted.", known(r.Pages.Wanted, true))
	number("pages_loaded", "", "Pages that were loaded.", known(r.Pages.Loaded, true))
	number("pages_failed", "", "Pages of which a request was not answered.", known(r.Pages.Failed, true))
	number("pages_per_second", "", "Pages that were loaded a second.", r.Rate)
	quantiles("page", "From wanting the first object of a page to the last byte of its last.", r.Pages.Quantiles)
	quantiles("accept_wait", "From the end of the handshake until the server took the connection.", r.Waits.Quantiles)
	number("connections_opened", "", "Connections that clients opened, over all trials.", known(r.Opened, true))
	number("connections_refused", "", "Connections that were refused, over all trials.", known(r.Refused, true))
	number("connections_per_page", "", "Connections that were opened for a page.", r.PerPage)
	level("sockets", "", "TCP sockets or QUIC connections", "server", r.Server.Sockets)
	level("sockets", "", "TCP sockets or QUIC connections", "client", r.Client.Sockets)
	level("time_wait_sockets", "", "Sockets in TIME_WAIT", "server", r.Server.TimeWait)
	level("time_wait_sockets", "", "Sockets in TIME_WAIT", "client", r.Client.TimeWait)
	level("socket_memory", "bytes", "Kernel memory that sockets held", "server", r.Server.Memory)
	level("socket_memory", "bytes", "Kernel memory that sockets held", "client", r.Client.Memory)
	level("workers", "", "Connections that the server had taken", "", r.Workers)
	level("accept_queue", "", "Connections in the accept queue", "", r.Queue)
	cpu := func(side string, ms linger.Opt[float64]) {
		number("cpu_seconds", "seconds", "CPU time, user and system.", known(ms.Or(0)/1000, !ms.IsZero()), Label{"side", side})
	}
	cpu("server", r.Server.CPU)
	cpu("client", r.Client.CPU)
	number("jain_index", "", "Jain's index of the rates that clients got.", r.Jain)
	for i, n := range r.Balance.Requests {
		number("server_requests", "", "Requests that a server answered, over all trials.", known(n, true), Label{"server", fmt.Sprint(i + 1)})
	}
	number("server_requests_uneven", "", "The most requests of a server over the mean.", r.Balance.Uneven)
	return m
}
