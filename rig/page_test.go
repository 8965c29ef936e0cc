package rig

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/live"
	"linger/page"
	"linger/trace"
)

// A page that did not come cannot be compared, and what to give instead is said.
func TestPagesThatCannotBeCompared(t *testing.T) {
	for _, c := range []struct {
		name string
		got  live.Page
		want string
	}{
		{"one that came", live.Page{Trace: one(200, "")}, ""},
		{"one that failed", live.Page{Trace: one(0, "refused")}, "http://a/: refused"},
		{"one elsewhere", live.Page{Trace: one(301, ""), Found: page.Found{Unfollowed: "https://b/", Unfollowing: "that is another origin"}}, "http://a redirects to https://b/, and that is another origin; give that URL"},
		{"one in a circle", live.Page{Trace: one(301, ""), Found: page.Found{Unfollowed: "http://a/", Unfollowing: "it never ends", AtFault: true}}, "give a page that is there"},
		{"one that wants a login", live.Page{Trace: one(401, "")}, "not for everybody (status 401)"},
		{"one that is not there", live.Page{Trace: one(404, "")}, "answers with status 404"},
	} {
		why := ""
		if err := unfit("http://a", &c.got); err != nil {
			why = err.Error()
		}
		if c.want == "" && why != "" || !strings.Contains(why, c.want) {
			t.Errorf("%s: %q; want %q", c.name, why, c.want)
		}
	}
}

func one(status int, failed string) *trace.Trace {
	return &trace.Trace{Exchanges: []trace.Exchange{{URL: "http://a/", Status: status, Failed: failed, ContentType: "text/plain"}}}
}

func TestNotesOfAPage(t *testing.T) {
	p := live.Page{Trace: one(200, ""), Found: page.Found{Elsewhere: 1, Beyond: 3}}
	p.Trace.Notes = []string{"first"}
	if got, want := strings.Join(notesOf(&p), "|"), "first|the document is no HTML that can be read (text/plain), so that nothing else is named|1 object of another origin is named and was not fetched|3 more objects are named than one visit fetches"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// A page keeps its server's time only where this program serves it.
func TestPagesInTheLabAndOutside(t *testing.T) {
	w := linger.Textbook(2)
	w.Exchanges[1].Delay = 5 * time.Millisecond
	p := Page{workload: w}
	inside, notes := p.InLab()
	if inside.Found || inside.Exchanges[1].Delay == 0 || len(notes) != 1 || !strings.Contains(notes[0], "guessed of 1 of 3 objects") {
		t.Errorf("in the lab: found %v, %v, %q", inside.Found, inside.Exchanges[1].Delay, notes)
	}
	outside, notes := p.Outside()
	if !outside.Found || outside.Exchanges[1].Delay != 0 || len(notes) != 0 || w.Exchanges[1].Delay == 0 {
		t.Errorf("outside: found %v, %v, %q; the page has %v", outside.Found, outside.Exchanges[1].Delay, notes, w.Exchanges[1].Delay)
	}
}

func TestPartsOfAURL(t *testing.T) {
	for target, want := range map[string]string{
		"http://a": "http /", "HTTP://a/b?c#d": "http /b?c", "https://a?q": "https /?q", "https://a//b": "https //b", "http://a/#x": "http /",
	} {
		scheme, path := Again{URL: target}.parts()
		if got := scheme + " " + path; got != want {
			t.Errorf("%s: %s; want %s", target, got, want)
		}
	}
}
