package rig

import (
	"testing"

	"linger"
	"linger/fault"
	"linger/trace"
)

// A run that has lost trials says which and why, and ends with status 1.
func TestLostTrialsAreNoSuccess(t *testing.T) {
	whole := &trace.Trace{Exchanges: []trace.Exchange{{Status: 200}}}
	cut := &trace.Trace{Exchanges: []trace.Exchange{{Status: 200}, {Failed: "server closed"}}}
	stopped := &trace.Trace{Interrupted: true, Exchanges: []trace.Exchange{{Failed: trace.Stopped}}}
	setup := trace.Setup{Strategies: []linger.Strategy{{Name: "close"}, {Name: "keep"}}, Trials: 2}
	for _, test := range []struct {
		name string
		x    trace.Experiment
		want string
	}{
		{"all whole", trace.Experiment{Setup: setup, Traces: [][]*trace.Trace{{whole, whole}, {whole, whole}}}, ""},
		{"one of two delivered", trace.Experiment{Setup: setup, Traces: [][]*trace.Trace{{whole, cut}, {whole, whole}}},
			"close: 1 of 2 trials failed (server closed)"},
		{"one strategy did not deliver", trace.Experiment{Setup: setup, Traces: [][]*trace.Trace{{cut, cut}, {whole, whole}}},
			"close: 2 of 2 trials failed (server closed)"},
		{"one was stopped by the user", trace.Experiment{Setup: setup, Traces: [][]*trace.Trace{{whole, stopped}, {whole}}}, ""},
		{"none of any strategy delivered", trace.Experiment{Setup: setup, Traces: [][]*trace.Trace{{cut, cut}, {cut}}},
			"close: 2 of 2 trials failed (server closed); keep: 1 of 2 trials failed (server closed)"},
		{"one lost", trace.Experiment{Setup: setup, Traces: [][]*trace.Trace{{whole}, {whole, whole}}, Failures: [][]string{{"not done after 1s"}}},
			"close: 1 of 2 trials failed (not done after 1s)"},
		{"all lost, and one without delay", trace.Experiment{Setup: setup, ZeroRTT: [][]*trace.Trace{{whole, whole}, {whole}},
			Failures: [][]string{{"refused", "refused"}, {"refused", "refused"}}, ZeroRTTFailures: [][]string{nil, {"killed"}}},
			"close: 2 of 2 trials failed (refused); keep: 2 of 2 trials failed (refused); keep: 1 of 2 zero-RTT trials failed (killed)"},
		{"one that the server does not speak", trace.Experiment{
			Setup:  trace.Setup{Strategies: []linger.Strategy{{Name: "h3"}, {Name: "keep"}}, Trials: 1},
			Traces: [][]*trace.Trace{nil, {whole}}, Failures: [][]string{{"not asked again"}}}, ""},
	} {
		err := Shortfall(&test.x, &Mute{reasons: map[string]string{"h3": "nothing listens"}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || err.Error() != test.want || fault.KindOf(err) != fault.NotMet):
			t.Errorf("%s: %v, of kind %d; want %q", test.name, err, fault.KindOf(err), test.want)
		}
	}
}
