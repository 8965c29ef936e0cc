package finding

import (
	"encoding/json"
	"testing"

	"linger"
)

func TestIntervals(t *testing.T) {
	between := func(low, high float64) Interval {
		return Interval{Low: linger.Known(low), High: linger.Known(high)}
	}
	from := func(low float64) Interval { return Interval{Low: linger.Known(low)} }
	for _, test := range []struct {
		i     Interval
		v     float64
		holds bool
	}{
		{between(1, 2), 1, true}, {between(1, 2), 2, true}, {between(1, 2), 2.1, false}, {between(1, 2), 0.9, false},
		{from(20), 1e9, true}, {from(20), 19, false}, {Interval{}, -5, true},
	} {
		if got := test.i.Contains(test.v); got != test.holds {
			t.Errorf("%+v contains %v: %v", test.i, test.v, got)
		}
	}
	for _, test := range []struct {
		a, b  Interval
		meets bool
	}{
		{between(1, 2), between(2, 3), true}, {between(1, 2), between(2.1, 3), false}, {from(20), between(1, 19), false},
		{from(20), from(30), true}, {between(1, 40), between(2, 3), true}, {Interval{}, between(1, 2), true},
	} {
		if test.a.Meets(test.b) != test.meets || test.b.Meets(test.a) != test.meets {
			t.Errorf("%+v meets %+v: %v", test.a, test.b, !test.meets)
		}
	}
}

// What is not known is absent, and what was written is read again.
func TestFindingsInJSON(t *testing.T) {
	f := Finding{
		Code: "idle-unused", Severity: Warning, Subject: Subject{Kind: "connection", Name: "17"},
		Figures:  Figures{Number("gap", 12.5, "ms"), Word("client", "curl/8")},
		Evidence: []Evidence{{Kind: "filter", Text: "tcp.stream eq 17"}},
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"code":"idle-unused","severity":"warning","subject":{"kind":"connection","name":"17"},` +
		`"figures":[{"name":"gap","value":12.5,"unit":"ms"},{"name":"client","text":"curl/8"}],` +
		`"evidence":[{"kind":"filter","text":"tcp.stream eq 17"}]}`
	if string(b) != want {
		t.Errorf("wrote\n%s; want\n%s", b, want)
	}
	var again Finding
	if err := json.Unmarshal(b, &again); err != nil || again.Figures.Value("gap").Or(0) != 12.5 || again.Figures.Text("client") != "curl/8" {
		t.Errorf("read %+v, %v", again, err)
	}
	if _, ok := again.Figures.Get("none"); ok || !again.Figures.Value("none").IsZero() {
		t.Error("there is no such figure")
	}
}

// How far a number may be off is in its interval, of one value a tenth.
func TestFiguresDoubt(t *testing.T) {
	known := linger.Known[float64]
	for _, test := range []struct {
		name     string
		interval linger.Opt[Interval]
		want     float64
	}{
		{"no interval", linger.Opt[Interval]{}, 0},
		{"one value", linger.Known(Interval{N: 1}), 10},
		{"open above", linger.Known(Interval{Low: known(90)}), 10},
		{"reaches further up", linger.Known(Interval{Low: known(98), High: known(105)}), 5},
		{"reaches further down", linger.Known(Interval{Low: known(91), High: known(105)}), 9},
		{"no luck in it", linger.Known(Interval{Low: known(100), High: known(100)}), 0},
	} {
		f := Number("time", 100, "ms").Whose("keep")
		if f.Interval = test.interval; f.Uncertainty() != test.want || f.Of != "keep" {
			t.Errorf("%s: %v; want %v", test.name, f.Uncertainty(), test.want)
		}
	}
}

func TestFiguresOfOneName(t *testing.T) {
	f := Figures{Word("strategy", "close"), Number("trials", 5, ""), Word("strategy", "keep")}
	all := f.All("strategy")
	if len(all) != 2 || all[0].Text != "close" || all[1].Text != "keep" || len(f.All("none")) != 0 {
		t.Errorf("%+v", all)
	}
}
