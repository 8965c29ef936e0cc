package conformance

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/profile"
)

const s = profile.Duration(time.Second)

func measured(d, doubt profile.Duration) profile.Timeout {
	return profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: d, Low: d, High: d, N: 3}, Uncertainty: doubt, Ending: profile.FIN}
}

// sample is a server of which much is known and some is not.
func sample() *profile.Profile {
	h1 := &profile.Protocol{Name: "http/1.1", Offered: true, AfterResponse: measured(60*s-s/500, s/200), AfterConnect: profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: 20 * s}},
		Requests: profile.Count{State: profile.AtLeast, N: 80}, Age: profile.Timeout{State: profile.Unknown, Why: "no connection could be kept busy"}}
	h1.Announced.Timeout = linger.Known(65 * s)
	h2 := &profile.Protocol{Name: "h2", Offered: true, AfterResponse: profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: 7 * s, Low: 5 * s, High: 10 * s, N: 4}, Uncertainty: s / 200, Ending: profile.GOAWAY}, Requests: profile.Count{State: profile.Measured, N: 100}}
	h3 := &profile.Protocol{Name: "h3", Declined: true, Why: "not offered: nothing listens there"}
	return &profile.Profile{
		Protocols: []*profile.Protocol{h1, h2, h3}, Parallel: profile.Count{State: profile.AtLeast, N: 20}, Software: "nginx/1.22.1",
		TLS: &profile.TLS{Versions: []string{"1.3", "1.2"}, Resumes: linger.Known(true)},
		Cases: []profile.Result{
			{Case: CaseByID("close-honoured"), Outcome: profile.Pass, Text: "closed"}, {Case: CaseByID("pipeline-order"), Outcome: profile.Fail, Text: "answer 3 came first"}, {Case: CaseByID("idle-no-race"), Outcome: profile.NotMeasured, Text: "no limit was seen"},
		},
	}
}

func TestAssertionsAreDecidedByWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		text string
		want assert.Truth
	}{
		{"idle>=60s", assert.Holds}, {"idle<60s", assert.Broken}, {"idle==60s", assert.Holds}, {"idle != 60s", assert.Broken}, {"idle>=1m", assert.Holds}, {"idle>60.1s", assert.Broken}, {"idle<=60000ms", assert.Holds},
		{"idle_connect>=15s", assert.Holds}, {"idle_connect>=20s", assert.Holds}, {"idle_connect>=60s", assert.NotKnown}, {"idle_connect<20s", assert.Broken}, {"idle_connect<=60s", assert.NotKnown}, {"idle_connect==20s", assert.NotKnown}, {"idle_connect>20s", assert.NotKnown},
		{"15s<=idle_connect", assert.Holds}, {"20s>idle_connect", assert.Broken},
		{"idle_h2>=4s", assert.Holds}, {"idle_h2>=7s", assert.NotKnown}, {"idle_h2>=11s", assert.Broken},
		{"requests>=80", assert.Holds}, {"requests>=100", assert.NotKnown}, {"requests_h2==100", assert.Holds}, {"requests_h2>100", assert.Broken}, {"parallel>=6", assert.Holds},
		{"age>=1s", assert.NotKnown}, {"!(age>=1s)", assert.NotKnown}, {"idle_h3>=1s", assert.NotKnown},
		{"idle>=60s && close_honoured", assert.Holds}, {"close_honoured", assert.Holds}, {"!close_honoured", assert.Broken}, {"pipeline_order", assert.Broken}, {"idle_no_race", assert.NotKnown},
		{"idle_no_race && pipeline_order", assert.Broken}, {"idle_no_race || close_honoured", assert.Holds}, {"idle_no_race || pipeline_order", assert.NotKnown}, {"idle_no_race && close_honoured", assert.NotKnown},
		{"!(idle_no_race || close_honoured)", assert.Broken}, {"pipeline_order || pipeline_order || h2 && h3", assert.Broken},
		{"h2", assert.Holds}, {"h3", assert.Broken}, {`ending=="FIN"`, assert.Holds}, {`ending_h2=="FIN"`, assert.Broken}, {`software!="nginx"`, assert.Holds},
		{"tls>=1.3", assert.Holds}, {"tls_least>=1.2", assert.Holds}, {"tls_least>=1.3", assert.Broken}, {"resumes", assert.Holds}, {"early_data", assert.NotKnown}, {"tickets>=1", assert.NotKnown},
		{"announced<=idle", assert.Broken}, {"idle<announced", assert.Holds}, {"announced_h2>1s", assert.NotKnown}, {"fails==1", assert.Holds}, {"unmeasured>1", assert.Broken}, {"resumes == h2", assert.Holds},
		{"goaway_last_stream", assert.NotKnown},
	} {
		a, err := assert.Parse(c.text, Vocabulary())
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := a.Of(Figures(sample()))
		if got.Truth != c.want || (got.Why == "") != (got.Truth == assert.Holds) {
			t.Errorf("%s: %s (%s), want %s", c.text, got.Truth, got.Why, c.want)
		}
	}
}

func TestAssertionsSayWhatDecidedThem(t *testing.T) {
	for text, want := range map[string]string{
		"idle>=90s":                   "idle is 59.993–60.003 s",
		"idle_connect>=60s":           "idle_connect is at least 20 s",
		"age>=1s":                     "age is not known: no connection could be kept busy",
		"idle_h2>=7s":                 "idle_h2 is 4.9–10.1 s",
		"h3":                          "h3 is not offered: nothing listens there",
		"idle>=90s && close_honoured": "idle is 59.993–60.003 s",
		"idle>=90s && age>=1s":        "idle is 59.993–60.003 s",
		"pipeline_order":              "pipeline_order is not so: answer 3 came first",
	} {
		a, err := assert.Parse(text, Vocabulary())
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of(Figures(sample())); got.Why != want {
			t.Errorf("%s: %q, want %q", text, got.Why, want)
		}
	}
}

func TestWrongAssertionsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "column 1: the condition ends too early; a name is missing, as idle"},
		{"idle>=60", "column 7: a time needs a unit"},
		{"idle", "column 1: idle is a time; compare it"},
		{"requests>=5s", "column 9: a number cannot be compared with a time"},
		{"idel>=60s", "column 1: nothing is called idel; did you mean idle?"},
		{"idle.h2>=60s", "column 1: nothing is called idle.h2; write idle_h2"},
		{"close-honoured", "column 1: nothing is called close-honoured; write close_honoured"},
		{`idle["h2"]>=60s`, "column 5: there is one idle in all; leave the brackets out"},
		{"close_honoured>1", "column 15: yes or no cannot be compared with a number"},
		{"h2>h3", "column 3: yes or no is compared by == or != only"},
	} {
		_, err := assert.Parse(c.text, Vocabulary())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.30q: %v, want %s", c.text, err, c.want)
		}
	}
}

// Whether HTTP/3 is spoken is not known where nobody could find out.
func TestProtocolThatCouldNotBeTriedIsNotKnown(t *testing.T) {
	p := &profile.Profile{Protocols: []*profile.Protocol{{Name: "h3", Why: "not known: no connection could be opened"}}}
	for _, text := range []string{"h3", "!h3"} {
		a, err := assert.Parse(text, Vocabulary())
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of(Figures(p)); got.Truth != assert.NotKnown {
			t.Errorf("%s %s", text, got.Truth)
		}
	}
}

// Each case can be asserted by a name of its own.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range figures {
		if seen[f.Name.Name] {
			t.Errorf("%s stands for two things", f.Name.Name)
		}
		seen[f.Name.Name] = true
	}
	for _, c := range Cases() {
		if !seen[caseName(c.ID)] {
			t.Errorf("%s cannot be asserted", c.ID)
		}
	}
}
