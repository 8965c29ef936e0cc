package assert

import (
	"strings"
	"testing"

	"linger"
	"linger/finding"
)

// race are figures of all, and of each of three strategies.
var race = Vocabulary{
	Names: []Name{
		{Name: "time", Kind: Time, Each: true}, {Name: "connections", Kind: Number, Each: true}, {Name: "wire_bytes", Kind: Size, Each: true},
		{Name: "resumed", Kind: Share, Each: true}, {Name: "protocol", Kind: Text, Each: true}, {Name: "honoured", Kind: YesNo, Each: true},
		{Name: "query_p95", Kind: Time, Each: true},
		{Name: "best", Kind: Text}, {Name: "trials", Kind: Number}, {Name: "reuse", Kind: Share}, {Name: "cause_race", Kind: Number}, {Name: "cause_server_idle", Kind: Number}, {Name: "interrupted", Kind: YesNo},
	},
	Subject: "strategy", Subjects: []string{"close:6", "keep:6", "h3+0rtt"},
	Listed: "docs/assert.md lists the names",
}

func ran(name, subject string) Value {
	switch name + " " + subject {
	case "time keep:6":
		return Between(1.28, 1.35)
	case "time close:6":
		return Between(2.9, 3.0)
	case "time h3+0rtt":
		return Between(1.2, 1.3)
	case "connections keep:6":
		return Exactly(6)
	case "wire_bytes keep:6":
		return Exactly(412_345)
	case "resumed keep:6":
		return Exactly(19.0 / 20)
	case "protocol keep:6":
		return Word("http/1.1")
	case "honoured keep:6":
		return Is(false).Telling("not so: 3 of 5 trials opened more")
	case "query_p95 keep:6":
		return Exactly(0.02).Need(12, Least(0.95), "query")
	case "best ":
		return Word("h3+0rtt")
	case "trials ":
		return Exactly(5)
	case "reuse ":
		return From(0.9)
	case "cause_server_idle ":
		return Exactly(0)
	case "interrupted ":
		return Is(true)
	}
	return Unknown("it was not measured")
}

func TestAssertionsAreDecidedByWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		text string
		want Truth
	}{
		{`time["keep:6"] <= 1.4s`, Holds}, {`time["keep:6"]<=1350ms`, Holds}, {`time["keep:6"] < 1.3s`, NotKnown}, {`time["keep:6"]<1.2s`, Broken}, {`1s<time["keep:6"]`, Holds},
		{`time["keep:6"] < time["close:6"]`, Holds}, {`time["h3+0rtt"]<time["keep:6"]`, NotKnown}, {`time[ "close:6" ] <= time["keep:6"]`, Broken},
		{`connections["keep:6"]==6`, Holds}, {`connections["keep:6"]<6`, Broken}, {`connections["close:6"]==6`, NotKnown}, {`!(connections["close:6"]==6)`, NotKnown},
		{`wire_bytes["keep:6"]<=413kB`, Holds}, {`wire_bytes["keep:6"]<=412345`, Holds}, {`wire_bytes["keep:6"]<0.4MB`, Broken}, {`wire_bytes["keep:6"]==412345B`, Holds},
		{`resumed["keep:6"]>=0.95`, Holds}, {`resumed["keep:6"]>=95%`, Holds}, {`resumed["keep:6"]==95%`, Holds}, {`resumed["keep:6"]>95%`, Broken},
		{`protocol["keep:6"]=="http/1.1"`, Holds}, {`protocol["keep:6"]=="h2"`, Broken}, {`best!="keep:6"`, Holds}, {`best==protocol["keep:6"]`, Broken},
		{`honoured["keep:6"]`, Broken}, {`!honoured["keep:6"]`, Holds}, {`honoured["keep:6"]==false`, Holds}, {`true==honoured["keep:6"]`, Broken},
		{`reuse>=0.9`, Holds}, {`reuse>=0.95`, NotKnown}, {`reuse<50%`, Broken}, {`cause_server_idle==0`, Holds}, {`cause_race==0`, NotKnown},
		{`cause_race==0 && cause_server_idle>0`, Broken}, {`cause_race==0||trials==5`, Holds}, {`query_p95["keep:6"]<1s`, NotKnown},
		{`interrupted || trials>=5 && best=="keep:6"`, Holds}, {`(interrupted || trials>=5) && best=="keep:6"`, Broken},
	} {
		a, err := Parse(c.text, race)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := a.Of(ran); got.Truth != c.want || (got.Why == "") != (got.Truth == Holds) {
			t.Errorf("%s: %s (%s), want %s", c.text, got.Truth, got.Why, c.want)
		}
	}
}

func TestAssertionsSayWhatDecidedThem(t *testing.T) {
	for text, want := range map[string]string{
		`time["keep:6"]<1s`:                            `time["keep:6"] is 1.28 s to 1.35 s`,
		`time["keep:6"]<1s && connections["keep:6"]>1`: `time["keep:6"] is 1.28 s to 1.35 s`,
		`wire_bytes["keep:6"]<1kB`:                     `wire_bytes["keep:6"] is 412.345 kB`,
		`resumed["keep:6"]>0.99`:                       `resumed["keep:6"] is 95 %`,
		`reuse>0.99`:                                   "reuse is at least 90 %",
		`honoured["keep:6"]`:                           `honoured["keep:6"] is not so: 3 of 5 trials opened more`,
		`!interrupted`:                                 "interrupted is so",
		`best=="h2"`:                                   "best is h3+0rtt",
		`cause_race==0`:                                "cause_race is not known: it was not measured",
		`query_p95["keep:6"]<=1s`:                      `query_p95["keep:6"] is not known: of 12 queries; 20 are needed`,
		`time["keep:6"]>time["close:6"]`:               `time["close:6"] is 2.9 s to 3 s; time["keep:6"] is 1.28 s to 1.35 s`,
		`trials==4||trials==3`:                         "trials is 5",
	} {
		a, err := Parse(text, race)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := a.Of(ran); got.Why != want {
			t.Errorf("%s: %q, want %q", text, got.Why, want)
		}
	}
}

func TestWrongAssertionsNameTheirPlaceAndTheWayOut(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `column 1: the condition ends too early; a name is missing, as time["close:6"]`},
		{`time<1s`, `column 1: there is one time of each strategy; write time["close:6"]`},
		{`time["keep:7"]<1s`, `'time["keep:7"]<1s', column 6: no strategy is called "keep:7"; did you mean keep:6? there is close:6, keep:6, h3+0rtt`},
		{`keep:6.time<1s`, `column 1: keep:6.time: write time["keep:6"]`},
		{`keep:6 < close:6`, `column 1: keep:6 is a strategy; name a figure of it, as time["keep:6"]`},
		{`time.keep<1s`, `column 1: nothing is called time.keep; did you mean time? docs/assert.md lists the names`},
		{`time[keep]<1s`, `column 6: in brackets stands the name of a strategy in double quotation marks, as time["close:6"]`},
		{`time["keep:6"<1s`, `column 14: a bracket is not closed`},
		{`best["keep:6"]=="h2"`, `column 5: there is one best in all; leave the brackets out`},
		{`tiem["keep:6"]<1s`, `column 1: nothing is called tiem; did you mean time? docs/assert.md lists the names`},
		{`wire-bytes["keep:6"]<1`, `column 1: nothing is called wire-bytes; write wire_bytes`},
		{`time["keep:6"]<1`, `column 16: a time needs a unit: ms, s, m or h`},
		{`time["keep:6"]`, `column 1: time["keep:6"] is a time; compare it with something, as in time["keep:6"]>=60s`},
		{`5 && interrupted`, `column 1: 5 is a number; compare it with something`},
		{`connections["keep:6"]>=5s`, "column 22: a number cannot be compared with a time"},
		{`connections["keep:6"]>=5%`, "column 22: a number cannot be compared with a share"},
		{`time["keep:6"]<trials`, "column 15: a time cannot be compared with a number"},
		{`best=h2`, "column 5: = alone is no operator; write =="},
		{`best=='h2'`, "column 7: a text stands in double quotation marks"},
		{`(trials>=5`, "column 11: a parenthesis is not closed"},
		{`trials>=5)`, `column 10: unexpected ")"; join conditions by && or ||`},
		{`trials>=5x`, "column 9: x is no unit; write ms, s, m or h"},
		{`trials>=1.2.3`, "column 9: 1.2.3 is not a number"},
		{`interrupted>1`, "column 12: yes or no cannot be compared with a number"},
		{`interrupted>true`, "column 12: yes or no is compared by == or != only"},
		{`1s>2s`, "column 1: nothing that is measured is compared"},
		{`trials>5 & interrupted`, `column 10: unexpected "&"`},
		{`best=="h2`, "column 7: the quotation mark is not closed"},
		{`cause_==0`, "column 1: nothing is called cause_"},
		{"interrupted é", "column 13: unexpected"},
		{strings.Repeat("!", 200) + "interrupted", "in each other"},
		{strings.Repeat("trials>1&&", 1000) + "trials>1", "longer than"},
		{"interrupted \xff", "is not UTF-8"},
	} {
		_, err := Parse(c.text, race)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.30q: %v, want %s", c.text, err, c.want)
		}
	}
}

// The figures of the only one there is need no brackets, and may have them.
func TestTheOnlySubjectNeedsNoName(t *testing.T) {
	one := race
	one.Subjects = []string{"keep:6"}
	for text, want := range map[string]string{`connections!=6`: "connections is 6", `connections["keep:6"]!=6`: `connections["keep:6"] is 6`} {
		a, err := Parse(text, one)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of(ran); got.Truth != Broken || got.Why != want {
			t.Errorf("%s %s: %s", text, got.Truth, got.Why)
		}
	}
}

// Where the subjects are not known before, each name is taken.
func TestSubjectsMayBeKnownOnlyAfterwards(t *testing.T) {
	open := Vocabulary{Names: []Name{{Name: "reuse", Kind: Share, Each: true}}, Subject: "origin", Example: "example.org", Listed: "docs/assert.md lists the names"}
	a, err := Parse(`reuse["api.example:443"]>=95%`, open)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Of(func(_, subject string) Value { return Exactly(float64(len(subject)) / 100) }); got.Truth != Broken || got.Why != `reuse["api.example:443"] is 15 %` {
		t.Errorf("%+v", got)
	}
	if _, err := Parse("a.example.reuse>=0.95", open); err == nil || !strings.Contains(err.Error(), `write reuse["a.example"]`) {
		t.Errorf("%v", err)
	}
	if _, err := Parse("reuse>=0.95", open); err == nil || !strings.Contains(err.Error(), `write reuse["example.org"]`) {
		t.Errorf("%v", err)
	}
}

func TestQuantilesNeedSamples(t *testing.T) {
	for q, want := range map[float64]int{0.5: 5, 0.75: 5, 0.9: 10, 0.95: 20, 0.99: 100, 0.999: 1000} {
		if got := Least(q); got != want {
			t.Errorf("the quantile %v needs %d, want %d", q, got, want)
		}
	}
	if v := Exactly(1).Need(5, 5, "trial"); v.Why != "" {
		t.Error(v.Why)
	}
	if v := Unknown("nobody looked").Need(0, 5, "trial"); v.Why != "nobody looked" {
		t.Error(v.Why)
	}
	if v := Exactly(1).Need(1, 5, "trial"); v.Why != "of 1 trial; 5 are needed" {
		t.Error(v.Why)
	}
}

func TestFiguresOfFindingsAreValues(t *testing.T) {
	bounds := finding.Number("idle", 20_000, "ms")
	bounds.Interval = linger.Known(finding.Interval{Low: linger.Known(20_000.0)})
	for _, c := range []struct {
		figure finding.Figure
		kind   Kind
		want   string
	}{
		{finding.Number("idle", 1500, "ms"), Time, "1.5 s"}, {bounds, Time, "at least 20 s"}, {finding.Number("reuse", 0.95, "share"), Share, "95 %"},
		{finding.Word("best", "h2"), Text, "h2"}, {finding.Number("bytes", 1200, "bytes"), Size, "1.2 kB"}, {finding.Number("connections", 3, ""), Number, "3"},
	} {
		if got := OfFigure(c.figure).told(c.kind); got != c.want {
			t.Errorf("%+v is %s, want %s", c.figure, got, c.want)
		}
	}
	if v := OfFigure(finding.Figure{Name: "none"}); v.known() {
		t.Errorf("%+v", v)
	}
}

func TestTables(t *testing.T) {
	type server struct{ idle float64 }
	table := []Figure[server]{
		On("idle", Time, "idle limit", func(s server) Value { return Exactly(s.idle) }),
	}
	a, err := Parse("idle>=5s", Vocabulary{Names: NamesOf(table)})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Of(InTable(table, server{5})); got.Truth != Holds {
		t.Errorf("%+v", got)
	}
}

// Parse never panics, every error is one line with its place, and the opposite of an
// assertion is decided the other way round.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`time["keep:6"]>=60s && interrupted`, "!(interrupted||trials>1)", `best=="FIN"`, "reuse != 1.5%", "((((", "time>=", "1s", "\"", "é", "!!interrupted",
		`time["`, `time[`, `keep:6.time<1s`, `time["x"]]`, "cause_x==0", "true==false", "5%",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text, race)
		if err != nil {
			if _, ok := err.(*SyntaxError); !ok || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		got := a.Of(ran)
		opposite, err := Parse("!("+text+")", race)
		if err != nil {
			return // deeper or longer by a little than is read
		}
		want := map[Truth]Truth{Holds: Broken, Broken: Holds, NotKnown: NotKnown}[got.Truth]
		if other := opposite.Of(ran); other.Truth != want {
			t.Errorf("%q %s, and its opposite %s", text, got.Truth, other.Truth)
		}
	})
}
