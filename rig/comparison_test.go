package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/fault"
	"linger/run"
	"linger/trace"
)

func TestParseEngines(t *testing.T) {
	for _, c := range []struct {
		list  string
		want  Engines
		wrong string
	}{
		{"", Engines{}, ""},
		{"lab", Engines{Lab: true}, ""},
		{"lab,sim", Engines{Lab: true, Sim: true}, ""},
		{"live", Engines{Live: true}, ""},
		{"live,sim", Engines{}, "write live alone"},
		{"moon", Engines{}, "write lab, live, sim, or lab,sim"},
	} {
		got, err := ParseEngines(c.list)
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) || fault.KindOf(err) != fault.WrongUsage {
				t.Errorf("%s: %v; want %s", c.list, err, c.wrong)
			}
		case err != nil || got != c.want:
			t.Errorf("%s: %+v, %v; want %+v", c.list, got, err, c.want)
		}
	}
}

// Files are kept of first trials on the network itself, and are named by strategy, and by network
// where there are several.
func TestFirstTrialsAreKeptUnderTheirNames(t *testing.T) {
	n := linger.Network{Name: "dsl*", RTT: time.Millisecond}
	s := linger.Scenario{Network: n, Strategy: linger.Strategy{Name: "keep:6"}}
	f := FirstTrials{Artifacts: Artifacts{Packets: "a.pcapng", HAR: "dir.d/b.har", Keylog: "keys"}}
	if got, want := f.of(n)(s, 0), (Artifacts{Packets: "a.keep-6.pcapng", HAR: "dir.d/b.keep-6.har", Keylog: "keys"}); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
	f.several = true
	if got, want := f.of(n)(s, 0).Packets, "a.dsl.keep-6.pcapng"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	bare := s
	bare.Network.RTT = 0
	if second, other := f.of(n)(s, 1), f.of(n)(bare, 0); second != (Artifacts{}) || other != (Artifacts{}) {
		t.Errorf("kept of the second trial: %+v, without delay: %+v", second, other)
	}
	if !f.packets() || (FirstTrials{Artifacts: Artifacts{Keylog: "keys"}}).packets() {
		t.Error("a log of keys takes no packets, and a capture does")
	}
}

// A board is a screen that keeps what is said.
type board struct {
	said []string
	told int
}

func (b *board) Measuring(*trace.Experiment) { b.said = append(b.said, "measuring") }
func (b *board) Predicting()                 { b.said = append(b.said, "predicting") }
func (b *board) Tell(run.Progress)           { b.told++ }
func (b *board) Clear()                      {}
func (b *board) Note(f string, args ...any)  { b.said = append(b.said, fmt.Sprintf(f, args...)) }
func (b *board) Fail(err error)              { b.said = append(b.said, err.Error()) }
func (b *board) of(int) Screen               { return b }
func predicted(t *testing.T, list string) Comparison {
	t.Helper()
	return Comparison{On: Engines{Sim: true}, Plan: run.Plan{Workload: linger.Textbook(3), Strategies: strategies(t, list), Seed: 1, Trials: 3, ZeroRTT: 3, Workers: 2}}
}

// Each network is an experiment of its own; what cannot be predicted is said once, or refused
// where it was named.
func TestComparisonIsPredictedOnEachNetwork(t *testing.T) {
	networks := []linger.Network{network(10 * time.Millisecond), network(20 * time.Millisecond)}
	networks[0].Name, networks[1].Name = "near", "far"
	var b board
	c := predicted(t, "close,keep,keep+tfo")
	all, err := c.Over(t.Context(), networks, b.of)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d, %v", len(all), err)
	}
	for i, m := range all {
		if m.Experiment.Network != networks[i] || m.Experiment.Trials != 1 || m.Beside != nil || m.Plan.Network != networks[i] || !m.On.Sim {
			t.Errorf("%s: on %+v, %d trials, %+v", networks[i].Name, m.Experiment.Network, m.Experiment.Trials, m.On)
		}
		if times := m.Experiment.Traces; len(times) != len(m.Plan.Strategies) || times[0][0].Ended <= times[1][0].Ended {
			t.Errorf("%s: %d strategies, close %v, keep %v", networks[i].Name, len(times), times[0][0].Ended, times[1][0].Ended)
		}
	}
	if b.told == 0 {
		t.Error("nothing was told")
	}
}

// What was interrupted before it had anything is no result.
func TestComparisonThatIsStoppedAtOnce(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var b board
	all, err := predicted(t, "keep").Over(ctx, []linger.Network{network(time.Millisecond)}, b.of)
	if len(all) > 0 || fault.KindOf(err) != fault.StoppedEarly {
		t.Errorf("%d, %v", len(all), err)
	}
}

// A strategy by which nothing came is not tried again, and what came in part is.
func TestMute(t *testing.T) {
	kept, closed, h3 := linger.Strategy{Name: "keep"}, linger.Strategy{Name: "close"}, linger.Strategy{Name: "h3"}
	part := &trace.Trace{Exchanges: []trace.Exchange{{Failed: "reset"}, {Status: 200}}}
	none := &trace.Trace{Exchanges: []trace.Exchange{{Failed: "refused"}, {Failed: "refused"}}}
	m := NewMute()
	m.hear(kept, part, nil)
	m.hear(closed, none, nil)
	m.hear(h3, nil, errors.New("no route"))
	m.hear(kept, &trace.Trace{Interrupted: true, Exchanges: none.Exchanges}, nil)
	for s, want := range map[linger.Strategy]string{kept: "", closed: "not asked again after: refused", h3: "not asked again after: no route"} {
		got := ""
		if err := m.Asked(s); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q; want %q", s.Name, got, want)
		}
	}
	x := &trace.Experiment{Setup: trace.Setup{Strategies: []linger.Strategy{closed, h3}, Network: linger.Network{Name: "host.example"}}}
	if err := m.Verdict(x); fault.KindOf(err) != fault.TargetUnreachable || !strings.Contains(err.Error(), "nothing came from host.example") {
		t.Errorf("%v", err)
	}
	x.Strategies = append(x.Strategies, kept)
	if err := m.Verdict(x); err != nil {
		t.Errorf("with one that answered: %v", err)
	}
	var nobody *Mute
	nobody.hear(kept, none, nil)
	if nobody.Asked(kept) != nil || nobody.Verdict(x) != nil {
		t.Error("without a server of others nothing is mute")
	}
}

func TestShortfallOfAFetch(t *testing.T) {
	good, bad := trace.Exchange{URL: "http://a/1", Status: 200}, trace.Exchange{URL: "http://a/2", Failed: "reset"}
	for _, c := range []struct {
		all  []trace.Exchange
		kind fault.Kind
		want string
	}{
		{[]trace.Exchange{good, good}, fault.Other, ""},
		{[]trace.Exchange{good, bad, bad}, fault.NotMet, "2 of 3 exchanges failed; the first: http://a/2: reset"},
		{[]trace.Exchange{bad}, fault.TargetUnreachable, "http://a/2: reset"},
	} {
		err := Fetched{Trace: &trace.Trace{Exchanges: c.all}}.Shortfall()
		if fault.KindOf(err) != c.kind || err != nil && err.Error() != c.want || err == nil && c.want != "" {
			t.Errorf("%v, of kind %d; want %q", err, fault.KindOf(err), c.want)
		}
	}
}
