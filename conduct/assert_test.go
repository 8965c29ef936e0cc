package conduct

import (
	"strings"
	"testing"
	"time"

	"linger"
)

const s = Duration(time.Second)

func limit(d, doubt Duration) Timeout {
	return Timeout{State: Measured, Spread: Spread{d, d, d, 3}, Uncertainty: doubt, Ending: FIN}
}

// sample is a server of which much is known and some is not.
func sample() *Policy {
	h1 := &Protocol{Name: "http/1.1", Offered: true, AfterResponse: limit(60*s-s/500, s/200), AfterConnect: Timeout{State: AtLeast, Spread: Spread{Low: 20 * s}},
		Requests: Count{State: AtLeast, N: 80}, Age: Timeout{State: Unknown, Why: "no connection could be kept busy"}}
	h1.Announced.Timeout = linger.Known(65 * s)
	h2 := &Protocol{Name: "h2", Offered: true, AfterResponse: Timeout{State: Measured, Spread: Spread{7 * s, 5 * s, 10 * s, 4}, Uncertainty: s / 200, Ending: GOAWAY}, Requests: Count{State: Measured, N: 100}}
	h3 := &Protocol{Name: "h3", Why: "not offered: nothing listens there"}
	return &Policy{
		Protocols: []*Protocol{h1, h2, h3}, Parallel: Count{State: AtLeast, N: 20}, Software: "nginx/1.22.1",
		TLS: &TLS{Versions: []string{"1.3", "1.2"}, Resumes: linger.Known(true)},
		Cases: []Result{
			{CaseByID("close-honoured"), Pass, "closed"}, {CaseByID("pipeline-order"), Fail, "answer 3 came first"}, {CaseByID("idle-no-race"), NotMeasured, "no limit was seen"},
		},
	}
}

func TestAssertionsAreDecidedByWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		text string
		want Truth
	}{
		{"idle>=60s", Holds}, {"idle<60s", Broken}, {"idle==60s", Holds}, {"idle != 60s", Broken}, {"idle>=1m", Holds}, {"idle>60.1s", Broken}, {"idle<=60000ms", Holds},
		{"idle_connect>=15s", Holds}, {"idle_connect>=20s", Holds}, {"idle_connect>=60s", NotKnown}, {"idle_connect<20s", Broken}, {"idle_connect<=60s", NotKnown}, {"idle_connect==20s", NotKnown}, {"idle_connect>20s", NotKnown},
		{"15s<=idle_connect", Holds}, {"20s>idle_connect", Broken},
		{"idle_h2>=4s", Holds}, {"idle_h2>=7s", NotKnown}, {"idle_h2>=11s", Broken},
		{"requests>=80", Holds}, {"requests>=100", NotKnown}, {"requests_h2==100", Holds}, {"requests_h2>100", Broken}, {"parallel>=6", Holds},
		{"age>=1s", NotKnown}, {"!(age>=1s)", NotKnown}, {"idle_h3>=1s", NotKnown},
		{"idle>=60s && close_honoured", Holds}, {"close_honoured", Holds}, {"!close_honoured", Broken}, {"pipeline_order", Broken}, {"idle_no_race", NotKnown},
		{"idle_no_race && pipeline_order", Broken}, {"idle_no_race || close_honoured", Holds}, {"idle_no_race || pipeline_order", NotKnown}, {"idle_no_race && close_honoured", NotKnown},
		{"!(idle_no_race || close_honoured)", Broken}, {"pipeline_order || pipeline_order || h2 && h3", Broken},
		{"h2", Holds}, {"h3", Broken}, {`ending=="FIN"`, Holds}, {`ending_h2=="FIN"`, Broken}, {`software!="nginx"`, Holds},
		{"tls>=1.3", Holds}, {"tls_least>=1.2", Holds}, {"tls_least>=1.3", Broken}, {"resumes", Holds}, {"early_data", NotKnown}, {"tickets>=1", NotKnown},
		{"announced<=idle", Broken}, {"idle<announced", Holds}, {"announced_h2>1s", NotKnown}, {"fails==1", Holds}, {"unmeasured>1", Broken}, {"resumes == h2", Holds},
		{"goaway_last_stream", NotKnown},
	} {
		a, err := ParseAssertion(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := a.Of(sample())
		if got.Truth != c.want || (got.Why == "") != (got.Truth == Holds) {
			t.Errorf("%s: %s (%s), want %s", c.text, got.Truth, got.Why, c.want)
		}
	}
}

func TestAssertionsSayWhatDecidedThem(t *testing.T) {
	for text, want := range map[string]string{
		"idle>=90s":                   "idle is 59.998 ± 0.005 s",
		"idle_connect>=60s":           "idle_connect is at least 20 s",
		"age>=1s":                     "age is not known: no connection could be kept busy",
		"idle_h2>=7s":                 "idle_h2 is 5.0 to 10.0 s",
		"h3":                          "h3 is not offered: nothing listens there",
		"idle>=90s && close_honoured": "idle is 59.998 ± 0.005 s",
		"idle>=90s && age>=1s":        "idle is 59.998 ± 0.005 s",
		"pipeline_order":              "pipeline_order is not so: answer 3 came first",
	} {
		a, err := ParseAssertion(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of(sample()); got.Why != want {
			t.Errorf("%s: %q, want %q", text, got.Why, want)
		}
	}
}

func TestWrongAssertionsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "column 1: the condition ends too early"},
		{"idle>=60", "column 7: a time needs a unit"},
		{"idle>=", "column 7: the condition ends too early"},
		{"idle", "column 1: idle is a time; compare it"},
		{"requests>=5s", "column 9: a number cannot be compared with a time"},
		{"idel>=60s", "column 1: nothing is called idel; did you mean idle?"},
		{"idle=60s", "column 5: = alone is no operator"},
		{"(idle>=60s", "column 11: a parenthesis is not closed"},
		{"idle>=60s)", `column 10: unexpected ")"`},
		{"idle>=60x", "column 7: x is no unit"},
		{"idle>=1.2.3s", "column 7: 1.2.3 is not a number"},
		{"close_honoured>1", "column 15: yes or no cannot be compared with a number"},
		{"h2>h3", "column 3: yes or no is compared by == or != only"},
		{"1s>2s", "column 1: nothing of the server is compared"},
		{"idle>=60s & h2", `column 11: unexpected "&"`},
		{`ending=="FIN`, "column 9: the quotation mark is not closed"},
		{"h2 é", "column 4: unexpected"},
		{strings.Repeat("!", 200) + "h2", "in each other"},
		{strings.Repeat("h2&&", 2000) + "h2", "longer than"},
		{"h2 \xff", "is not UTF-8"},
	} {
		_, err := ParseAssertion(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.30q: %v, want %s", c.text, err, c.want)
		}
	}
}

// Whether HTTP/3 is spoken is not known where nobody could find out.
func TestProtocolThatCouldNotBeTriedIsNotKnown(t *testing.T) {
	p := &Policy{Protocols: []*Protocol{{Name: "h3", Why: "not known: no connection could be opened"}}}
	for _, text := range []string{"h3", "!h3"} {
		a, err := ParseAssertion(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of(p); got.Truth != NotKnown {
			t.Errorf("%s %s", text, got.Truth)
		}
	}
}

// Each case can be asserted by a name of its own.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range Words() {
		if seen[w] {
			t.Errorf("%s stands for two things", w)
		}
		seen[w] = true
		if _, ok := figureNamed(w); !ok {
			t.Errorf("%s is a word and nothing is called so", w)
		}
	}
}

func FuzzAssertion(f *testing.F) {
	for _, text := range []string{"idle>=60s && close_honoured", "!(h2||h3)", `ending=="FIN"`, "requests_h2 != 1.5", "((((", "idle>=", "1s", "\"", "é", "!!h2"} {
		f.Add(text)
	}
	p := sample()
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAssertion(text)
		if err != nil {
			if _, ok := err.(*SyntaxError); !ok || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		got := a.Of(p)
		opposite, err := ParseAssertion("!(" + text + ")")
		if err != nil {
			return // deeper or longer by a little than is read
		}
		want := map[Truth]Truth{Holds: Broken, Broken: Holds, NotKnown: NotKnown}[got.Truth]
		if other := opposite.Of(p); other.Truth != want {
			t.Errorf("%q %s, and its opposite %s", text, got.Truth, other.Truth)
		}
	})
}

func TestFiguresAreToldAsSurelyAsTheyAreKnown(t *testing.T) {
	ms := s / 1000
	for want, got := range map[string]string{
		"5.001 ± 0.002 s": limit(5*s+ms, 2*ms).String(),
		"5.00 ± 0.02 s":   limit(5*s+ms, 12*ms).String(),
		"75 ± 3 s":        limit(75*s, 2*s+s/10).String(),
		"250 ± 2 ms":      limit(250*ms, 2*ms).String(),
		"250.0 ± 0.2 ms":  limit(250*ms, ms/5).String(),
		"at least 74.9 s": Timeout{State: AtLeast, Spread: Spread{Low: 75*s - ms}}.String(),
		"5.0 to 10.0 s":   sample().Protocols[1].AfterResponse.String(),
		"not measured":    Timeout{}.String(),
		"at least 80":     Count{State: AtLeast, N: 80}.String(),
		"5 s":             (5 * s).String(),
		"1.5 ms":          (3 * ms / 2).String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAnnouncedIsHeldAgainstObserved(t *testing.T) {
	for _, c := range []struct {
		seen      Timeout
		announced Duration
		keeps, ok bool
	}{
		{limit(5*s, s/500), 5 * s, true, true}, {limit(5*s+s/20, s/500), 5 * s, true, true}, {limit(5*s, s/500), 6 * s, false, true}, {limit(5*s, s/500), 5 * s / 1000, false, true},
		{Timeout{State: AtLeast, Spread: Spread{Low: 20 * s}}, 5 * s, false, true}, {Timeout{State: AtLeast, Spread: Spread{Low: 20 * s}}, 60 * s, true, false}, {Timeout{}, 5 * s, false, false},
	} {
		if keeps, ok := c.seen.Keeps(c.announced); keeps != c.keeps || ok != c.ok {
			t.Errorf("%v announced as %v: %v %v", c.seen, c.announced, keeps, ok)
		}
	}
}
