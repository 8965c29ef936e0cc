package html

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"linger/internal/results"
	"linger/profile"
)

// many is a list of so many servers of three kinds.
func many(n int) (list []profile.Probed) {
	for i := range n {
		one := results.Servers()[i%3]
		one.Line, one.Target = i+1, fmt.Sprintf("https://host%04d.example/?token=secret", i)
		if p := one.Profile; p != nil {
			p.Target, p.Software = one.Target, []string{"nginx/1.22.1", "Apache/2.4.57 (Debian)", ""}[i/3%3]
		}
		list = append(list, one)
	}
	return list
}

func surveyPage(t testing.TB, list []profile.Probed, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Survey(&b, list, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A page of a thousand servers is small enough to be sent, and one of more has a row for
// each and says of how many there is no more.
func TestASurveyIsBounded(t *testing.T) {
	page := surveyPage(t, many(1000), Options{})
	t.Logf("%d kB for 1000 servers", len(page)/1000)
	if len(page) > 3e6 {
		t.Errorf("%d bytes for 1000 servers", len(page))
	}
	if strings.Contains(page, "secret") {
		t.Error("the page has queries")
	}
	page = surveyPage(t, many(1600), Options{})
	t.Logf("%d kB for 1600 servers", len(page)/1000)
	if n := strings.Count(page, `<tr id="row-`); n != 1600 {
		t.Errorf("%d rows", n)
	}
	if n := strings.Count(page, `<details class="server">`); n != mostDetails || !strings.Contains(page, "Of 67 servers more there is no more than their row") {
		t.Errorf("%d details of 1067", n)
	}
}

// What servers call themselves is text, however it is written.
func TestASurveyEscapesWhatServersSay(t *testing.T) {
	list := many(3)
	for _, one := range list[:2] {
		one.Profile.Software = evil
		one.Profile.Cases[0].Text = evil
	}
	if page := surveyPage(t, list, Options{}); strings.Contains(page, "<img") || strings.Contains(page, "<b>\"") || strings.Count(page, "</script>") != 1 {
		t.Error("the page has markup of others")
	}
}

// Rows are sorted by numbers, filtered by what they hold, both stand in the address, and a link
// opens what it leads to.
func TestBrowserSortsAndFiltersASurvey(t *testing.T) {
	b := newBrowser(t)
	list := many(9)
	for i, one := range list {
		if one.Profile != nil {
			q := one.Profile.Main()
			q.AfterResponse.Median = profile.Duration(9-i) * 1e9
		}
	}
	file := b.open(t, []byte(surveyPage(t, list, Options{Version: "test", Command: "linger probe -f list"})))
	order := `[...document.querySelectorAll('#list tbody tr')].filter(r => !r.hidden).map(r => r.id.slice(4)).join(' ')`
	if got := eval[string](t, b, order); got != "0 1 2 3 4 5 6 7 8" {
		t.Errorf("the list begins as %s", got)
	}
	sort := `document.querySelectorAll('#list thead button')[3].click()`
	eval[any](t, b, sort)
	if got := eval[string](t, b, order); got != "7 6 4 3 1 0 2 5 8" {
		t.Errorf("by idle timeout: %s", got)
	}
	eval[any](t, b, sort)
	if got := eval[string](t, b, order); got != "0 1 3 4 6 7 2 5 8" {
		t.Errorf("by idle timeout, the greatest first: %s", got)
	}
	if got := eval[string](t, b, `document.querySelectorAll('#list th')[3].getAttribute('aria-sort') + ' ' + location.hash`); got != "descending #servers?sort=3d" {
		t.Error(got)
	}
	eval[any](t, b, `(() => {const f = document.getElementById('filter'); f.value = 'apache'; f.dispatchEvent(new Event('input'))})()`)
	if got := eval[string](t, b, order+` + ', ' + document.getElementById('matches').textContent + ', ' + [...document.querySelectorAll('.server')].filter(d => !d.hidden).length`); got != "3 4, 2 of 9, 2" {
		t.Errorf("of Apache: %s", got)
	}
	eval[any](t, b, `document.querySelector('.joint tbody a').click()`)
	eval[any](t, b, `document.querySelector('#row-1 a').click()`)
	eval[any](t, b, `new Promise(done => setTimeout(done, 50))`)
	if !eval[bool](t, b, `document.getElementById('server-1').closest('details').open`) {
		t.Error("a link does not open the details")
	}
	b.quiet(t, "survey", file)
}
