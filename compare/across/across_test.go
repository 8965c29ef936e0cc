package across

import (
	"testing"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/finding"
	"linger/internal/textbook"
)

// compared compares the textbook's experiments on some networks.
func compared(names ...string) (each []compare.Findings) {
	for _, in := range textbook.Networks("close,close:6,keep,keep:6,h2", 5, names...) {
		each = append(each, compare.Compare(in))
	}
	return each
}

// figure is one of the network's figures of a finding.
func figure(t *testing.T, f finding.Finding, name, network string) finding.Figure {
	t.Helper()
	for _, g := range f.Figures {
		if g.Name == name && g.Of == network {
			return g
		}
	}
	t.Fatalf("%s: no %s of %s in %v", f.Code, name, network, f.Figures)
	return finding.Figure{}
}

// What stands about all networks is what each network's own verdict says.
func TestNetworksSayWhatEachSays(t *testing.T) {
	each := compared("3g", "lte", "lan")
	n := Of(each)
	saved, fastest := n.Findings[0], n.Findings[1]
	for _, one := range each {
		name := one.Network.Name
		if got := figure(t, fastest, "fastest", name).Text; got != one.Verdict.Fastest || got == "" {
			t.Errorf("%s: fastest is %q; want %q", name, got, one.Verdict.Fastest)
		}
		least, most := 1.0, -1.0
		for _, s := range one.Verdict.KeepAlive {
			least, most = min(least, s.Share.Value), max(most, s.Share.Value)
		}
		if figure(t, saved, "least", name).Value.Or(0) != least || figure(t, saved, "most", name).Value.Or(0) != most {
			t.Errorf("%s: keep-alive saves %v; want %v to %v", name, saved.Figures, least, most)
		}
	}
}

// Where the fastest changes, what is nowhere far from it is named, with its worst ratio.
func TestACompromiseIsNowhereFarFromTheFastest(t *testing.T) {
	each := compared("3g", "lte")
	if n := Of(each); n.Findings[1].Cause != CauseOneFastest || len(n.Findings) != 2 {
		t.Fatalf("one strategy is fastest everywhere: %+v", n.Findings)
	}
	rows := each[1].Rows
	slow := func(strategy string, ratio float64) {
		for i := range rows {
			if rows[i].Strategy == strategy {
				rows[i].RatioToBest = linger.Known(ratio)
			}
		}
	}
	each[1].Verdict.Fastest = "keep:6"
	slow("keep:6", 1)
	slow("h2", 1.1)
	n := Of(each)
	if len(n.Findings) != 3 || n.Findings[1].Cause != CauseChanges {
		t.Fatalf("%+v", n.Findings)
	}
	c := n.Findings[2]
	if c.Code != Compromise || c.Subject.Name != "h2" || figure(t, c, "worst_ratio", "lte").Value.Or(0) != 1.1 {
		t.Errorf("%+v", c)
	}
	// Without a time on one network nobody can be the compromise.
	for i := range rows {
		rows[i].RatioToBest = linger.Opt[float64]{}
	}
	if n := Of(each); len(n.Findings) != 2 {
		t.Errorf("%+v", n.Findings)
	}
}

// A condition holds where it holds on every network, and says on which it does not.
func TestAssertionsHoldOnEveryNetwork(t *testing.T) {
	each := compared("3g", "lte", "lan")
	result := func(text string, truth assert.Truth, why string) assert.Result {
		return assert.Result{Text: text, Truth: truth, Why: why}
	}
	each[0].Asserted = []assert.Result{result("a", assert.Holds, ""), result("b", assert.NotKnown, "no trial"), result("c", assert.NotKnown, "no trial")}
	each[1].Asserted = []assert.Result{result("a", assert.Holds, ""), result("b", assert.Broken, "b is 2"), result("c", assert.Holds, "")}
	each[2].Asserted = []assert.Result{result("a", assert.Holds, ""), result("b", assert.Holds, ""), result("c", assert.Holds, "")}
	want := []assert.Result{result("a", assert.Holds, ""), result("b", assert.Broken, "on 3g: no trial; on lte: b is 2"), result("c", assert.NotKnown, "on 3g: no trial")}
	for i, got := range Of(each).Asserted {
		if got != want[i] {
			t.Errorf("%+v; want %+v", got, want[i])
		}
	}
}

// Without a network, or with one, there is nothing to hold beside each other, and nothing breaks.
func TestFewNetworks(t *testing.T) {
	Of(nil)
	if n := Of(compared("lte")); n.Findings[1].Cause != CauseOneFastest {
		t.Errorf("%+v", n.Findings)
	}
}
