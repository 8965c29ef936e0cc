package html

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"linger/compare"
	"linger/finding"
	"linger/internal/testall"
)

// built is where the program is once it has been built, for all tests.
var built string

// command builds the program, as the reader of a page has it.
func command(t *testing.T) string {
	t.Helper()
	if built != "" {
		return built
	}
	folder, err := os.MkdirTemp("", "linger")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, "linger")
	if out, err := exec.Command("go", "build", "-o", name, "../../cmd/linger").CombinedOutput(); err != nil {
		os.RemoveAll(folder)
		t.Fatalf("%v\n%s", err, out)
	}
	built = name
	return name
}

// page has the program write a page.
func page(t *testing.T, linger string, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "page.html")
	if out, err := exec.Command(linger, append(args, "-o", name)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	html, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return html
}

// predictions moves controls in the page, and waits for what the simulator says.
func (b *browser) predictions(t *testing.T, moves string) map[string]float64 {
	t.Helper()
	return eval[map[string]float64](t, b, `(async () => {
		const form = document.getElementById('explore-form'), move = (id, name) => {
			const c = JSON.parse(document.getElementById('explore-scenario').textContent).controls.find(c => c.id === id);
			const e = document.getElementById('explore-' + id);
			e.value = c.names.indexOf(name);
			if (c.names.indexOf(name) < 0) throw new Error('no ' + name + ' among ' + c.names);
			e.dispatchEvent(new Event('input', {bubbles: true}));
		};
		const before = form.dataset.done ?? '0';
		`+moves+`;
		document.getElementById('explore-run').click();
		const last = performance.now() + 30000;
		let steady = form.dataset.done;
		while (performance.now() < last) {
			await new Promise(done => setTimeout(done, 50));
			const now = form.dataset.done ?? '0';
			if (+now > +before && now === steady && document.getElementById('explore-status').textContent === '') break;
			steady = now;
		}
		return Object.fromEntries([...document.querySelectorAll('#explore-rows tr')].map(r => [r.dataset.strategy, +(r.dataset.ms ?? -1)]));
	})()`)
}

// What the simulator says in a page is, to the digit, what the command says that the
// page shows for it. The page asks nobody for anything, and nothing complains.
func TestBrowserPredictsAsTheCommandLineDoes(t *testing.T) {
	testall.Long(t, "a quarter of a minute")
	b := newBrowser(t)
	linger := command(t)
	for _, x := range []struct {
		name  string
		args  []string
		moves []string
	}{
		{"sweep", []string{"sweep", "--steps", "5"}, []string{
			"",
			"move('rtt', '300 ms'); move('down', '1600 kbit/s')",
			"move('loss', '2 %')",
			"move('count', '60'); move('size', '2.0 kB'); move('loss', '0 %'); move('up', '400 kbit/s')",
		}},
		{"compare", []string{"compare", "microscape", "--on", "sim", "--network", "3g", "-s", "close:2,keep,pipeline", "--max-requests", "10", "--queue", "300ms", "--seed", "3"}, []string{
			"", "move('loss', '1 %'); move('rtt', '7 ms')", "document.getElementById('explore-objects').click(); move('size', '100 kB')",
		}},
	} {
		file := b.open(t, page(t, linger, x.args...))
		if opened := eval[int](t, b, `performance.getEntriesByType('resource').length`); opened > 0 {
			t.Errorf("%s: %d resources", x.name, opened)
		}
		for _, moves := range x.moves {
			got := b.predictions(t, moves)
			line := eval[string](t, b, `document.getElementById('explore-command').textContent`)
			if len(got) < 3 || line == "" {
				status := eval[string](t, b, `document.getElementById('explore-status').textContent`)
				t.Fatalf("%s, %q: %v, %q, %q", x.name, moves, got, line, status)
			}
			out, err := exec.Command(linger, append(strings.Fields(line)[1:], "--json")...).Output()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			var f compare.Findings
			if err := json.Unmarshal(out, &f); err != nil {
				t.Fatal(err)
			}
			for _, r := range f.Rows {
				want, ok := r.Time.Get()
				if at, there := got[r.Strategy]; !ok || !there || at != want.Median {
					t.Errorf("%s: %s: the page says %v ms, the command %v", line, r.Strategy, at, want.Median)
				}
			}
			if len(f.Rows) != len(got) {
				t.Errorf("%s: %d strategies, %d in the page", line, len(f.Rows), len(got))
			}
			t.Logf("%s: %v", line, got)
		}
		b.quiet(t, x.name, file)
	}
}

// A page about a measurement has its figures beside the simulator's, as long as the network is
// the measured one.
func TestBrowserPredictsBesideWhatWasMeasured(t *testing.T) {
	b := newBrowser(t)
	in := inputs(t)["gallery"]
	linger := command(t)
	// The simulator's own input is the command's; what was measured is made up.
	predicted := page(t, linger, "compare", "textbook:3", "--on", "sim", "-s", "close,keep")
	config := regexp.MustCompile(`"config":(\{.*?\}),"workload":`).FindSubmatch(predicted)
	if config == nil {
		t.Fatal("the page of a prediction has no model")
	}
	o := Options{Model: &Model{Config: json.RawMessage(config[1]), Workload: "gallery", Trials: 5, Strategies: []string{"close", "keep", "h2"}}}
	b.open(t, render(t, in, o))
	const measured = `[...document.querySelectorAll('#explore-rows tr')].map(r => r.cells[0].textContent + ' ' + r.cells[2].textContent)`
	b.predictions(t, "")
	shown := eval[[]string](t, b, measured)
	if len(shown) != 3 || !strings.HasPrefix(shown[0], "close 9.") || strings.Contains(strings.Join(shown, ""), "-") {
		t.Errorf("beside the predictions stands %q", shown)
	}
	if n := eval[int](t, b, `document.querySelectorAll('#explore-rows .whisker:not(.halo)').length`); n != 3 {
		t.Errorf("%d strokes show what was measured", n)
	}
	b.picture(t, "measured", "light", "explore")
	b.predictions(t, "move('rtt', '7 ms')")
	if shown := eval[[]string](t, b, measured); len(shown) != 3 || shown[0] != "close -" {
		t.Errorf("on another network the measured times still stand there: %q", shown)
	}
	b.quiet(t, "measured", eval[string](t, b, `location.href.split('#')[0]`))
}

// While the simulator is at work the page goes on, and what was wanted last is what is
// shown in the end.
func TestBrowserShowsTheLastWish(t *testing.T) {
	b := newBrowser(t)
	linger := command(t)
	b.open(t, page(t, linger, "sweep", "--steps", "3", "--loss", "0%"))
	got := b.predictions(t, `for (const rtt of ['1 ms', '1 s', '200 ms', '10 ms', '70 ms', '5 ms']) move('rtt', rtt)`)
	again := b.predictions(t, `move('rtt', '5 ms')`)
	if len(got) == 0 || fmt.Sprint(got) != fmt.Sprint(again) {
		t.Errorf("%v, and asked once: %v", got, again)
	}
}

// axe-core finds no barrier in a sweep, nor in what the simulator shows.
func TestBrowserFindsNoBarrierInASweep(t *testing.T) {
	axe := axeCore(t)
	b := newBrowser(t)
	linger := command(t)
	for name, args := range map[string][]string{
		"sweep": {"sweep", "--steps", "6", "--loss", "0%,2%"}, "named": {"sweep", "--network", "all", "--loss", "0%"}, "predicted": {"compare", "--on", "sim"},
	} {
		b.open(t, page(t, linger, args...))
		if maps := eval[int](t, b, `[...document.querySelectorAll('.map.lane')].filter(m => m.offsetParent).length`); strings.HasPrefix(args[0], "sweep") && maps != 1 {
			t.Errorf("%s: %d maps at a time", name, maps)
		}
		b.predictions(t, "")
		b.barriers(t, name, axe)
		for _, part := range []string{"maps", "explore", ""} {
			if part == "" || eval[bool](t, b, `!!document.getElementById('`+part+`')`) {
				b.picture(t, name, "dark", part)
			}
		}
	}
}

// The page says how large the simulator is in it, and has it once.
func TestPageStatesTheSizeOfTheSimulator(t *testing.T) {
	html := page(t, command(t), "sweep", "--steps", "2", "--loss", "0%")
	said := regexp.MustCompile(`is in this page \(([0-9.]+) MB of it\)`).FindSubmatch(html)
	if said == nil || string(said[1]) != strings.Fields(finding.Bytes(float64(len(predictorText()))))[0] {
		t.Errorf("%s", said)
	}
	if len(html) < len(predictorText()) || len(html) > len(predictorText())+500_000 {
		t.Errorf("%d bytes, %d of them the simulator", len(html), len(predictorText()))
	}
}
