// Package assertion names the figures of comparisons, for conditions such as time["keep"]<1s
// (package assert): [Vocabulary] is what may be named, [Figures] what is known of each name. Those
// of one fetch, of many clients and of the traffic that crossed a link are named here too.
package assertion

import (
	"fmt"
	"strconv"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/facts"
	"linger/finding"
	"linger/trace"
)

// A figured is a row with what its figures need besides.
type figured struct {
	compare.Row
	in *compare.Findings
	// fetched says that one trial is all that is asked about: what it took is exact.
	fetched bool
}

// ofRows are the figures of each strategy that an assertion can name. Medians of counts
// are taken as they are; those of times with their interval, and from 5 trials on.
func ofRows() []assert.Figure[figured] {
	return []assert.Figure[figured]{
		assert.On("time", assert.Time, "from wanting the first object to the end of the last", func(r figured) assert.Value { return r.time() }),
		assert.On("ratio", assert.Number, "that time, divided by the fastest strategy's", func(r figured) assert.Value { return r.ratio() }),
		assert.On("request", assert.Time, "from wanting an object to the last byte of it, median", func(r figured) assert.Value { return r.request(0.5) }),
		assert.On("request_p95", assert.Time, "the time that 95 of 100 requests do not exceed", func(r figured) assert.Value { return r.request(0.95) }),
		assert.On("request_p99", assert.Time, "the time that 99 of 100 requests do not exceed", func(r figured) assert.Value { return r.request(0.99) }),
		assert.On("connections", assert.Number, "connections that the client opened", func(r figured) assert.Value { return exactly(r.Connections) }),
		assert.On("requests_per_connection", assert.Number, "requests that were answered on a connection", func(r figured) assert.Value { return exactly(r.RequestsPerConnection) }),
		assert.On("reuse", assert.Share, "requests that were not the first on their connection", func(r figured) assert.Value { return exactly(r.Reuse) }),
		assert.On("handshakes", assert.Number, "handshakes of TCP and QUIC", func(r figured) assert.Value { return exactly(r.Handshakes) }),
		assert.On("resumed", assert.Share, "TLS handshakes that continued an earlier session", func(r figured) assert.Value { return exactly(r.Resumed) }),
		assert.On("setup_round_trips", assert.Number, "round trips until the first request may be sent on a new connection", func(r figured) assert.Value { return exactly(r.SetupRoundTrips) }),
		assert.On("round_trips", assert.Number, "round trips in the time", func(r figured) assert.Value { return exactly(r.RoundTrips) }),
		assert.On("packets", assert.Number, "packets, both ways", func(r figured) assert.Value { return exactly(facts.Both(r.Packets)) }),
		assert.On("packets_up", assert.Number, "packets towards the server", func(r figured) assert.Value { return exactly(one(r.Packets, up)) }),
		assert.On("packets_down", assert.Number, "packets towards the client", func(r figured) assert.Value { return exactly(one(r.Packets, down)) }),
		assert.On("wire_bytes", assert.Size, "bytes on the wire, both ways", func(r figured) assert.Value { return exactly(facts.Both(r.WireBytes)) }),
		assert.On("wire_bytes_up", assert.Size, "bytes on the wire towards the server", func(r figured) assert.Value { return exactly(one(r.WireBytes, up)) }),
		assert.On("wire_bytes_down", assert.Size, "bytes on the wire towards the client", func(r figured) assert.Value { return exactly(one(r.WireBytes, down)) }),
		assert.On("overhead", assert.Share, "bytes on the wire that are no content", func(r figured) assert.Value { return exactly(r.Overhead) }),
		assert.On("retransmitted", assert.Number, "packets retransmitted", func(r figured) assert.Value { return exactly(r.Retransmitted) }),
		assert.On("retries", assert.Number, "requests retried, since a connection had been closed", func(r figured) assert.Value { return exactly(r.Retries) }),
		assert.On("unanswered", assert.Number, "requests that a connection took and did not answer", func(r figured) assert.Value { return exactly(r.RequestsUnanswered) }),
		assert.On("time_wait", assert.Number, "sockets left in TIME_WAIT, of both sides", func(r figured) assert.Value { return exactly(r.Sockets.TimeWait) }),
		assert.On("cpu_client", assert.Time, "CPU time of the client", func(r figured) assert.Value { return spent(r.CPU.Client) }),
		assert.On("cpu_server", assert.Time, "CPU time of the server", func(r figured) assert.Value { return spent(r.CPU.Server) }),
		assert.On("protocol", assert.Text, "what was spoken: http/1.1, h2, h3", func(r figured) assert.Value {
			if r.Protocol == "" {
				return assert.Unknown("")
			}
			return assert.Word(r.Protocol)
		}),
		assert.On("tls", assert.Number, "version of TLS", func(r figured) assert.Value {
			v, err := strconv.ParseFloat(r.TLSVersion, 64)
			if err != nil {
				return assert.Unknown("no one version was spoken")
			}
			return assert.Exactly(v)
		}),
		assert.On("honoured", assert.YesNo, "the other side did what the strategy stands for", func(r figured) assert.Value { return assert.Is(!r.NotHonoured) }),
		assert.On("failed", assert.Number, "trials that did not deliver everything", func(r figured) assert.Value { return assert.Exactly(float64(r.Failed)) }),
		assert.On("query", assert.Time, "of names: from asking to the answer, median", func(r figured) assert.Value { return r.query(0.5) }),
		assert.On("query_p95", assert.Time, "of names: the time that 95 of 100 queries do not exceed", func(r figured) assert.Value { return r.query(0.95) }),
		assert.On("query_p99", assert.Time, "of names: the time that 99 of 100 queries do not exceed", func(r figured) assert.Value { return r.query(0.99) }),
		assert.On("bytes_per_query", assert.Size, "of names: bytes on the wire for a query", func(r figured) assert.Value {
			d, _ := r.DNS.Get()
			return exactly(d.Bytes)
		}),
	}
}

// ofAll are the figures that there is one of.
func ofAll() []assert.Figure[*compare.Findings] {
	return []assert.Figure[*compare.Findings]{
		assert.On("best", assert.Text, "the fastest strategy", func(f *compare.Findings) assert.Value {
			if f.Verdict.Best == "" {
				return assert.Unknown("none is faster than the others by more than noise")
			}
			return assert.Word(f.Verdict.Best)
		}),
		assert.On("caveats", assert.Number, "caveats about the figures", func(f *compare.Findings) assert.Value { return assert.Exactly(float64(len(f.Caveats))) }),
	}
}

// Names are what an assertion can name: the figures of each strategy, then those that
// there is one of.
func Names() (each, all []assert.Name) { return assert.EachOf(ofRows()), assert.NamesOf(ofAll()) }

// Vocabulary is what an assertion about those strategies can name.
func Vocabulary(strategies ...linger.Strategy) assert.Vocabulary {
	v := assert.Vocabulary{Subject: "strategy", Example: "keep:6", Listed: "docs/assert.md lists the names"}
	each, all := Names()
	v.Names = append(each, all...)
	for _, s := range strategies {
		v.Subjects = append(v.Subjects, s.Name)
	}
	return v
}

// FetchVocabulary is what an assertion about one fetch can name.
func FetchVocabulary(s linger.Strategy) assert.Vocabulary {
	v := Vocabulary(s)
	v.Names, _ = Names()
	return v
}

// Figures are what the findings of an experiment know of each name.
func Figures(f *compare.Findings) assert.Figures { return figuresOf(f, false) }

// FetchFigures are what is known of a fetch: what it took, not what such fetches take.
func FetchFigures(f *compare.Findings) assert.Figures { return figuresOf(f, true) }

func figuresOf(f *compare.Findings, fetched bool) assert.Figures {
	return func(name, subject string) assert.Value {
		if subject == "" {
			return assert.InTable(ofAll(), f)(name, subject)
		}
		for _, r := range f.Rows {
			if r.Strategy == subject {
				return assert.InTable(ofRows(), figured{r, f, fetched})(name, subject)
			}
		}
		return assert.Unknown("it was not tried")
	}
}

// leastTrials is how many trials the median of a time needs.
var leastTrials = assert.Least(0.5)

// time is the time with its interval; one of few trials is not known.
func (r figured) time() assert.Value {
	t, ok := r.Time.Get()
	least, bounded := r.AtLeast.Get()
	switch {
	case !ok && bounded && !r.fetched:
		return assert.From(least/1000).Need(r.Trials, leastTrials, "trial")
	case !ok && r.Failed < r.Trials:
		return assert.Unknown(fmt.Sprintf("%d of %d trials failed", r.Failed, r.Trials))
	case !ok:
		return assert.Unknown("no trial delivered everything")
	}
	said := finding.Duration(t.Median, t.Blur(r.in.Provenance))
	low, high := t.Low.Or(t.Median), t.High.Or(t.Median)
	if t.High.IsZero() && !t.Low.IsZero() {
		return assert.From(low/1000).Telling(fmt.Sprintf("%s (at least %s)", said, finding.Duration(low, 0))).Need(r.Trials, leastTrials, "trial")
	}
	v := assert.Between(low/1000, high/1000)
	if low < high {
		return v.Telling(fmt.Sprintf("%s (%s to %s)", said, finding.Duration(low, 0), finding.Duration(high, 0))).Need(r.Trials, leastTrials, "trial")
	}
	if r.fetched || r.in.Provenance == trace.Predicted && r.in.Network.Loss.Or(0) == 0 {
		return v
	}
	return v.Need(r.Trials-r.Failed, leastTrials, "trial")
}

// ratio is the time divided by the fastest row's, as far as both are known.
func (r figured) ratio() assert.Value {
	if r.RatioToBest.IsZero() {
		return assert.Unknown("no trial delivered everything")
	}
	for _, best := range r.in.Rows {
		if best.RatioToBest.Or(0) != 1 {
			continue
		}
		if best.Strategy == r.Strategy {
			return assert.Exactly(1)
		}
		mine, least := r.time(), figured{Row: best, in: r.in, fetched: r.fetched}.time()
		switch {
		case mine.Why != "":
			return mine
		case least.Why != "":
			return least
		}
		return assert.Between(mine.Low/least.High, mine.High/least.Low).Telling(finding.Trimmed(r.RatioToBest.Or(0), 3))
	}
	return assert.Unknown("no strategy is the fastest")
}

// request is a quantile of the times of requests.
func (r figured) request(q float64) assert.Value {
	s, ok := r.Request.Get()
	if !ok {
		return assert.Unknown("half of the requests or more failed")
	}
	return quantile(s, q, "request", "requests")
}

// query is a quantile of the times of queries.
func (r figured) query(q float64) assert.Value {
	d, looked := r.DNS.Get()
	if !looked {
		return assert.Unknown("objects were fetched, and no names looked up")
	}
	s, ok := d.Time.Get()
	switch {
	case !ok && d.Answered > 0:
		return assert.Unknown(fmt.Sprintf("%d of %d queries failed, half or more", d.Failed, d.Asked))
	case !ok:
		return assert.Unknown("no query was answered")
	}
	return quantile(s, q, "query", "queries")
}

// quantile is one of those that a spread has: of the median, of 95 or of 99 of 100.
func quantile(s compare.Spread, q float64, one, several string) assert.Value {
	v, ok := s.Quantile(q).Get()
	if !ok && s.N >= assert.Least(q) {
		return assert.Unknown(fmt.Sprintf("%d of %d %s failed, and it falls on one of them", s.Failed, s.N, several))
	}
	return assert.Exactly(v/1000).Need(s.N, assert.Least(q), one)
}

func exactly(o linger.Opt[float64]) assert.Value {
	v, ok := o.Get()
	if !ok {
		return assert.Unknown("")
	}
	return assert.Exactly(v)
}

func spent(ms linger.Opt[float64]) assert.Value {
	v, ok := ms.Get()
	if !ok {
		return assert.Unknown("")
	}
	return assert.Exactly(v / 1000)
}

func up(w facts.Directions) float64   { return w.Up }
func down(w facts.Directions) float64 { return w.Down }

// one is one of the two directions.
func one(o linger.Opt[facts.Directions], way func(facts.Directions) float64) linger.Opt[float64] {
	w, ok := o.Get()
	if !ok {
		return linger.Opt[float64]{}
	}
	return linger.Known(way(w))
}
