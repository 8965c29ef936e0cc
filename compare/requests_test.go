package compare

import (
	"testing"

	"linger"
	"linger/trace"
)

// A request takes from being wanted to its last byte; one that failed took longer than any, and
// one that was never wanted is none.
func TestRequests(t *testing.T) {
	answered := func(wanted, done linger.Instant) trace.Exchange {
		return trace.Exchange{Queued: wanted * 1e6, Done: linger.Known(done * 1e6), Attempts: 1}
	}
	r := requestsOf([]*trace.Trace{
		{Ended: 1e9, Exchanges: []trace.Exchange{answered(0, 10), answered(5, 35), {Queued: 5e6, Attempts: 1, Failed: "reset"}}},
		{Ended: 1e9, Exchanges: []trace.Exchange{answered(0, 20), {Queued: 1e9, Failed: "not done"}, {Queued: 0, Attempts: 1}}},
	})
	if len(r.took) != 3 || r.failed != 2 || r.unasked != 1 {
		t.Errorf("%+v", r)
	}
	if s, ok := r.spread().Get(); !ok || s != (Spread{N: 5, Failed: 2, Median: 30}) {
		t.Errorf("%+v", s)
	}
}

func TestSpread(t *testing.T) {
	upTo := func(n int) (out []float64) {
		for i := range n {
			out = append(out, float64(i+1))
		}
		return out
	}
	known := linger.Known[float64]
	var unknown linger.Opt[float64]
	for _, test := range []struct {
		name   string
		values []float64
		failed int
		want   linger.Opt[Spread]
	}{
		{"of none", nil, 0, linger.Opt[Spread]{}},
		{"of few", upTo(19), 0, linger.Known(Spread{N: 19, Median: 10})},
		{"of twenty", upTo(20), 0, linger.Known(Spread{N: 20, Median: 10.5, P95: known(19)})},
		{"of a hundred", upTo(100), 0, linger.Known(Spread{N: 100, Median: 50.5, P95: known(95), P99: known(99)})},
		{"one of a hundred failed", upTo(99), 1, linger.Known(Spread{N: 100, Failed: 1, Median: 50.5, P95: known(95), P99: known(99)})},
		{"two failed", upTo(98), 2, linger.Known(Spread{N: 100, Failed: 2, Median: 50.5, P95: known(95)})},
		{"most failed", upTo(4), 6, linger.Opt[Spread]{}},
	} {
		s := spreadOf(test.values, test.failed)
		if s != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, s, test.want)
		}
		got := s.Or(Spread{})
		if got.Quantile(0.5) != known(got.Median) || got.Quantile(0.95) != got.P95 || got.Quantile(0.99) != got.P99 || got.Quantile(0.9) != unknown {
			t.Errorf("%s: quantiles of %+v", test.name, got)
		}
	}
}

// Two equations with two unknowns: a connection of one query, and one of n.
func TestKeptIsTakenApart(t *testing.T) {
	known := linger.Known[float64]
	// 400 to set up and 100 a query: 500 for one alone, 140 each of ten.
	single, kept := inside{queryBytes: known(500), queryPackets: known(10)}, inside{queryBytes: known(140), queryPackets: known(2.8)}
	k, ok := keptOf(single, kept, 10, known(170)).Get()
	if !ok || k.SetUpBytes != 400 || k.QueryBytes != 100 || k.SetUpPackets != 8 || k.QueryPackets != 2 || k.From != linger.Known(6) {
		t.Errorf("%+v", k)
	}
	if k, _ := keptOf(single, kept, 10, known(90)).Get(); k.BeatsUDP != linger.Known(false) || !k.From.IsZero() {
		t.Errorf("%+v", k)
	}
	if k, _ := keptOf(single, kept, 10, linger.Opt[float64]{}).Get(); !k.BeatsUDP.IsZero() {
		t.Errorf("%+v", k)
	}
	if !keptOf(single, kept, 1.5, known(170)).IsZero() {
		t.Error("connections for hardly more than one query are taken apart")
	}
	if !keptOf(single, inside{queryBytes: known(140)}, 10, known(170)).IsZero() {
		t.Error("nobody counted packets")
	}
}
