package assert

import (
	"slices"
	"testing"

	"linger/finding"
)

func TestNamesThatAnAssertionIsAbout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want []string
	}{
		{"reuse>=80%", []string{"reuse"}},
		{"!(trials>3 || best==\"keep\") && trials<9", []string{"trials", "best"}},
		{`time["keep:6"]<time["close:6"]`, []string{"time"}},
		{"interrupted", []string{"interrupted"}},
	} {
		a, err := Parse(test.text, race)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Names(); !slices.Equal(got, test.want) {
			t.Errorf("%s is about %v, want %v", test.text, got, test.want)
		}
	}
}

func TestSeveralAssertions(t *testing.T) {
	t.Parallel()
	all, err := ParseAll([]string{"trials==5", "reuse>=95%", "cause_race==0"}, race)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		truth    Truth
		severity finding.Severity
		cause    string
	}{{Holds, finding.Pass, ""}, {NotKnown, finding.Error, CauseNotKnown}, {NotKnown, finding.Error, CauseNotKnown}}
	for i, r := range Decide(all, ran) {
		f := Finding(r)
		if r.Truth != want[i].truth || f.Severity != want[i].severity || f.Cause != want[i].cause {
			t.Errorf("%s %s, as a finding %s by %q; want %s, %s by %q", r.Text, r.Truth, f.Severity, f.Cause, want[i].truth, want[i].severity, want[i].cause)
		}
		if known := r.Truth == Holds; known != (len(f.Evidence) == 0) {
			t.Errorf("%s has as its evidence %v", r.Text, f.Evidence)
		}
	}
	if f := Finding(Result{Text: "trials>9", Truth: Broken, Why: "trials is 5"}); f.Severity != finding.Error || f.Cause != CauseBroken {
		t.Errorf("what does not hold is %s by %q", f.Severity, f.Cause)
	}
	if _, err := ParseAll([]string{"trials==5", "trails==5"}, race); err == nil {
		t.Error("a wrong one among several is taken")
	}
}

func TestFiguresOfEachSubject(t *testing.T) {
	t.Parallel()
	table := []Figure[int]{On("twice", Number, "twice as many", func(n int) Value { return Exactly(float64(2 * n)) })}
	if each := EachOf(table); len(each) != 1 || !each[0].Each || NamesOf(table)[0].Each {
		t.Errorf("the names are %+v", each)
	}
	if v, ok := Lookup(table, 3, "twice"); !ok || v.Low != 6 || table[0].Of(3).Low != 6 {
		t.Errorf("twice three is %+v", v)
	}
	if _, ok := Lookup(table, 3, "thrice"); ok {
		t.Error("a table has what is not in it")
	}
}
