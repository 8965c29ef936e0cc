package capacity

import (
	"linger"
	"linger/assert"
	"linger/stats"
)

// ofRows are the figures of a strategy that an assertion can name.
func ofRows() []assert.Figure[*Row] {
	count := func(name, help string, of func(*Row) int64) assert.Figure[*Row] {
		return assert.On(name, assert.Number, help, func(r *Row) assert.Value { return assert.Exactly(float64(of(r))) })
	}
	quantile := func(name, help string, of func(*Row) linger.Opt[float64]) assert.Figure[*Row] {
		return assert.On(name, assert.Time, help, func(r *Row) assert.Value {
			v, ok := of(r).Get()
			if !ok {
				return assert.Unknown("there are too few answers")
			}
			// A histogram's quantile is never below the exact one.
			return assert.Between(v/1000/(1+stats.HistogramError), v/1000)
		})
	}
	estimate := func(name string, kind assert.Kind, help string, by float64, of func(*Row) linger.Opt[Estimate]) assert.Figure[*Row] {
		return assert.On(name, kind, help, func(r *Row) assert.Value {
			e, ok := of(r).Get()
			if !ok {
				return assert.Unknown("it was not measured")
			}
			return assert.Between(e.Low.Or(e.Value)/by, e.High.Or(e.Value)/by)
		})
	}
	return []assert.Figure[*Row]{
		estimate("requests_per_second", assert.Number, "answered requests a second, the median of the turns", 1, func(r *Row) linger.Opt[Estimate] { return linger.Known(r.Rate) }),
		quantile("p50", "the median latency, from the intended moment to the last byte", func(r *Row) linger.Opt[float64] { return r.Latency.P50 }),
		quantile("p75", "its 75th percentile", func(r *Row) linger.Opt[float64] { return r.Latency.P75 }),
		quantile("p90", "its 90th", func(r *Row) linger.Opt[float64] { return r.Latency.P90 }),
		quantile("p95", "its 95th", func(r *Row) linger.Opt[float64] { return r.Latency.P95 }),
		quantile("p99", "its 99th", func(r *Row) linger.Opt[float64] { return r.Latency.P99 }),
		quantile("p999", "its 99.9th", func(r *Row) linger.Opt[float64] { return r.Latency.P999 }),
		quantile("p9999", "its 99.99th", func(r *Row) linger.Opt[float64] { return r.Latency.P9999 }),
		quantile("slowest", "the longest latency", func(r *Row) linger.Opt[float64] { return r.Latency.Max }),
		quantile("sent_p99", "the 99th percentile from sending to the last byte", func(r *Row) linger.Opt[float64] { return r.Sent.P99 }),
		count("requests", "requests that were answered", func(r *Row) int64 { return r.Requests.Answered }),
		count("failed", "requests that got no answer", func(r *Row) int64 { return r.Failed() }),
		count("wrong_status", "answers of a status that was not expected", func(r *Row) int64 { return r.Requests.Wrong }),
		count("retries", "requests that were retried", func(r *Row) int64 { return r.Requests.Retried }),
		count("connections", "connections that were opened", func(r *Row) int64 { return r.Opened }),
		count("connections_failed", "connections that could not be opened", func(r *Row) int64 { return total(r.Connections.Failed) }),
		count("connections_most", "connections that were open at once at most", func(r *Row) int64 { return r.Connections.Most }),
		count("handshakes_full", "full handshakes of TLS", func(r *Row) int64 { return r.Connections.Full }),
		count("handshakes_resumed", "resumed handshakes of TLS", func(r *Row) int64 { return r.Connections.Resumed }),
		count("time_wait_client", "sockets left in TIME_WAIT at the client", func(r *Row) int64 { return r.Connections.TimeWait.Client }),
		count("time_wait_server", "the same at the server", func(r *Row) int64 { return r.Connections.TimeWait.Server }),
		assert.On("requests_per_connection", assert.Number, "answered requests by opened connections", func(r *Row) assert.Value {
			v, ok := r.PerConnection.Get()
			if !ok {
				return assert.Unknown("no connection was opened")
			}
			return assert.Exactly(v)
		}),
		estimate("cpu_per_request", assert.Time, "processor time of the load generator for a request", 1000, func(r *Row) linger.Opt[Estimate] { return r.CPU }),
		estimate("server_cpu_per_request", assert.Time, "the same of the server, where it can be seen", 1000, func(r *Row) linger.Opt[Estimate] { return r.ServerCPU }),
	}
}

// Names are what an assertion can name of each strategy.
func Names() []assert.Name { return assert.EachOf(ofRows()) }

// Vocabulary is what an assertion can name, and how it is helped where it does not.
func Vocabulary(strategies ...linger.Strategy) assert.Vocabulary {
	var subjects []string
	for _, s := range strategies {
		subjects = append(subjects, s.Name)
	}
	return assert.Vocabulary{Names: Names(), Subject: "strategy", Subjects: subjects, Example: "keep", Listed: "docs/assert.md lists what there is"}
}

// Figures are what is known of each name.
func (r *Result) Figures() assert.Figures {
	return func(name, subject string) assert.Value {
		for i := range r.Rows {
			if row := &r.Rows[i]; row.Strategy == subject || subject == "" && len(r.Rows) == 1 {
				v, _ := assert.Lookup(ofRows(), row, name)
				return v
			}
		}
		return assert.Unknown("there is no such strategy")
	}
}
