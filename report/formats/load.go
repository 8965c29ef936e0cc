package formats

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"linger"
	"linger/compare/capacity"
	"linger/finding"
	"linger/report/words"
	"linger/tally"
)

// LoadJSON writes what a load came to; docs/bench.md describes it.
func LoadJSON(w io.Writer, r *capacity.Result) error { return indented(w, words.OfLoad(r)) }

// LoadChangeJSON writes what differs between two loads.
func LoadChangeJSON(w io.Writer, c *capacity.Change) error { return indented(w, c) }

// LoadCSV writes a line for each strategy.
func LoadCSV(w io.Writer, r *capacity.Result) error {
	line := func(r capacity.Row) finding.Figures {
		var f row
		count := func(name string, n int64) { f.number(name, linger.Known(float64(n)), "") }
		estimate := func(name, unit string, o linger.Opt[capacity.Estimate]) {
			e, ok := o.Get()
			v := linger.Opt[float64]{}
			if ok {
				v = linger.Known(e.Value)
			}
			f.number(name, v, unit)
			f.number(name+".low", e.Low, unit)
			f.number(name+".high", e.High, unit)
		}
		f.word("strategy", r.Strategy)
		f.yes("persistent", r.Persistent)
		f.count("turns", r.Turns)
		f.number("seconds", linger.Known(r.Seconds), "s")
		estimate("rate", "", linger.Known(r.Rate))
		for _, q := range []struct {
			name string
			of   capacity.Quantiles
		}{{"latency_ms", r.Latency}, {"sent_ms", r.Sent}, {"connecting_ms", r.Connecting}} {
			f.number(q.name+".p50", q.of.P50, "ms")
			f.number(q.name+".p90", q.of.P90, "ms")
			f.number(q.name+".p99", q.of.P99, "ms")
			f.number(q.name+".p99.9", q.of.P999, "ms")
			f.number(q.name+".p99.99", q.of.P9999, "ms")
			f.number(q.name+".max", q.of.Max, "ms")
		}
		estimate("cpu_ms", "ms", r.CPU)
		estimate("server_cpu_ms", "ms", r.ServerCPU)
		count("requests.sent", r.Requests.Sent)
		count("requests.answered", r.Requests.Answered)
		count("requests.failed", r.Failed())
		count("requests.retried", r.Requests.Retried)
		count("requests.wrong", r.Requests.Wrong)
		f.count("connections_asked", r.Asked)
		count("connections_opened", r.Opened)
		ideal := linger.Opt[float64]{}
		if n, ok := r.Ideal.Get(); ok {
			ideal = linger.Known(float64(n))
		}
		f.number("connections_ideal", ideal, "")
		count("connections.attempted", r.Connections.Attempted)
		count("connections.established", r.Connections.Established)
		count("connections.failed", sumOf(r.Connections.Failed))
		count("connections.most", r.Connections.Most)
		count("connections.tls_full", r.Connections.Full)
		count("connections.tls_resumed", r.Connections.Resumed)
		f.number("requests_per_connection", r.PerConnection, "")
		count("connections.time_wait.client", r.Connections.TimeWait.Client)
		count("connections.time_wait.server", r.Connections.TimeWait.Server)
		return finding.Figures(f)
	}
	var lines []finding.Figures
	for _, row := range r.Rows {
		lines = append(lines, line(row))
	}
	return CSV(w, line(capacity.Row{}), lines...)
}

func sumOf(m map[tally.Failure]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// LoadBench writes the turns as results of benchmarks, a line each, in Go's format
// (https://go.dev/design/14313-benchmark-format), which benchstat reads. The time of an operation is that of
// the turn by its answers: 1 by the rate.
func LoadBench(w io.Writer, r *capacity.Result) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "url: %s\n", strings.Join(r.URLs, " "))
	if r.Machine.CPU != "" {
		fmt.Fprintf(b, "cpu: %s\n", r.Machine.CPU)
	}
	// benchstat takes less for better, unless it is told.
	b.WriteString("Unit req/s better=higher\n")
	for i, row := range r.Rows {
		for _, run := range r.Turns[i] {
			n := run.Requests.Answered - run.Requests.After
			if n <= 0 {
				continue
			}
			fmt.Fprintf(b, "BenchmarkLoad/strategy=%s/connections=%d %d %.0f ns/op %.1f req/s", row.Strategy, row.Asked, n, float64(run.Ended.Sub(run.Began))/float64(n), capacity.RateOf(run))
			q := capacity.QuantilesOf(&run.Latency.Intended)
			for _, one := range []struct {
				unit string
				of   linger.Opt[float64]
			}{{"p50-ns", q.P50}, {"p99-ns", q.P99}} {
				if v, ok := one.of.Get(); ok {
					fmt.Fprintf(b, " %.0f %s", 1e6*v, one.unit)
				}
			}
			for _, one := range []struct {
				unit string
				of   linger.Opt[time.Duration]
			}{{"client-cpu-ns/op", run.Client.CPU}, {"server-cpu-ns/op", run.Server.CPU}} {
				if v, ok := one.of.Get(); ok {
					fmt.Fprintf(b, " %.0f %s", float64(v)/float64(run.Requests.Answered), one.unit)
				}
			}
			fmt.Fprintf(b, " %d conns\n", run.Connections.Before+run.Connections.Established)
		}
	}
	return b.Flush()
}

// Load tells what a load came to, for JUnit, SARIF and OpenMetrics.
func Load(r *capacity.Result, version string) Report {
	name := strings.Join(r.URLs, " ")
	t := Target{Kind: "server", Name: name, URI: r.URLs[0], Started: r.Began, Partial: r.Stopped(), Asserted: r.Asserted, Labels: []Label{{"url", name}}}
	rules := map[string]string{
		capacity.FoundCost: "What a connection for each request costs", capacity.FoundEnded: "The server keeps connections open", capacity.FoundRefused: "Connections can be opened",
		capacity.FoundTimeWait: "Few sockets are left in TIME_WAIT", capacity.FoundUnserved: "The server answers",
	}
	for _, f := range r.Findings {
		text, rule := words.LoadFinding(f), rules[f.Code]
		if rule == "" {
			rule = "What the server did under load"
		}
		t.Findings = append(t.Findings, Finding{Finding: f, Text: strings.TrimSuffix(text, "."), Told: text, Rule: Rule{Group: "bench", Short: rule + ".", Full: rule + ": " + f.Code + ".", Level: f.Severity}})
	}
	for _, c := range r.Caveats {
		t.Caveats = append(t.Caveats, words.LoadCaveat(c)+".")
	}
	var m metrics
	for _, row := range r.Rows {
		on := Label{"strategy", row.Strategy}
		m.add("requests_per_second", "", "Answered requests a second, the median of the turns.", row.Rate.Value, on)
		m.add("requests_answered", "", "Requests that were answered.", float64(row.Requests.Answered), on)
		m.add("requests_failed", "", "Requests that got no answer.", float64(row.Failed()), on)
		m.add("connections_opened", "", "Connections that were opened.", float64(row.Opened), on)
		for _, q := range []struct {
			name string
			of   linger.Opt[float64]
		}{{"0.5", row.Latency.P50}, {"0.9", row.Latency.P90}, {"0.99", row.Latency.P99}, {"0.999", row.Latency.P999}} {
			if v, ok := q.of.Get(); ok {
				m.add("latency_seconds", "seconds", "Time from the intended moment of a request to the last byte of its answer.", v/1000, on, Label{"quantile", q.name})
			}
		}
		for _, c := range []struct {
			side string
			of   linger.Opt[capacity.Estimate]
		}{{"client", row.CPU}, {"server", row.ServerCPU}} {
			if e, ok := c.of.Get(); ok {
				m.add("cpu_per_request_seconds", "seconds", "Processor time of a request.", e.Value/1000, on, Label{"side", c.side})
			}
		}
		m.add("time_wait_sockets", "", "Sockets left in TIME_WAIT.", float64(row.Connections.TimeWait.Client), on, Label{"side", "client"})
		m.add("time_wait_sockets", "", "Sockets left in TIME_WAIT.", float64(row.Connections.TimeWait.Server), on, Label{"side", "server"})
	}
	t.Metrics = m
	return Report{Tool: "linger bench", Version: version, Asserted: "the load", Targets: []Target{t}}
}
