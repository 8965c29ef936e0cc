package sim

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
)

// digests are one line a workload and strategy: a digest of all that is in its traces
// over several paths.
func digests(t *testing.T) []string {
	t.Helper()
	var lines []string
	line, sum := "", sha256.New()
	flush := func() {
		if line != "" {
			lines = append(lines, fmt.Sprintf("%s %x", line, sum.Sum(nil)[:12]))
		}
		sum.Reset()
	}
	note := func(s linger.Scenario, c Config) {
		if name := s.Workload.Name + " " + s.Workload.Scheme + " " + s.Strategy.Name; name != line {
			flush()
			line = name
		}
		text, err := json.Marshal(predict(t, s, c))
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(version1(text))
	}
	slow := plain
	slow.Machine = Machine{Handover: 90 * time.Microsecond, Wake: 80 * time.Microsecond, Begin: 200 * time.Microsecond, Signature: 400 * time.Microsecond, Verification: 500 * time.Microsecond}
	every(t, func(t *testing.T, s linger.Scenario) { note(s, slow) })
	// Long enough for CUBIC's curve and its Reno region, HyStart and repairs of losses.
	long := linger.Objects(1000, 3, 3_000_000)
	for _, strategy := range []string{"keep", "close:6", "h2"} {
		for _, loss := range []float64{0, 0.001, 0.01} {
			note(scenario(t, over(t, long, "https"), strategy, symmetric(83*time.Millisecond, 17*linger.Mbps, loss)), slow)
		}
	}
	names, config := lookups(8)
	config.Machine = slow.Machine
	for _, strategy := range []string{"udp", "tcp", "tcp+keep", "dot+pipeline", "doh+keep", "doh3", "doq+keep"} {
		note(scenario(t, names, strategy, symmetric(31*time.Millisecond, linger.Mbps, 0.05)), config)
	}
	page := linger.Workload{Name: "origins", Scheme: "https"}
	for i := range 12 {
		page.Exchanges = append(page.Exchanges, linger.Exchange{Method: "GET", Path: fmt.Sprintf("/%d", i), Status: 200, ResponseBody: 7001 * int64(i+1), Parent: i/3 - 1, Origin: i % 4})
	}
	for i := range 4 {
		page.Origins = append(page.Origins, linger.Origin{Name: fmt.Sprintf("o%d.example", i), ExtraRTT: linger.Known(time.Duration(i/2) * 11 * time.Millisecond)})
	}
	for _, strategy := range []string{"close:6", "keep:2+resume", "h2", "h3"} {
		note(scenario(t, page, strategy, symmetric(50*time.Millisecond, 3*linger.Mbps, 0.01)), slow)
	}
	flush()
	return lines
}

var (
	micros = regexp.MustCompile(`_us":(-?)([0-9]+)(?:\.([0-9]+))?`)
	ends   = regexp.MustCompile(`("id":[0-9]+,)"client":("[^"]*"),"server":`)
)

// version1 is a trace as version 1 of its file had it, which is what digests are of:
// instants in nanoseconds, and the ends of a connection as local and remote.
func version1(text []byte) []byte {
	text = ends.ReplaceAll(text, []byte(`$1"local":$2,"remote":`))
	return micros.ReplaceAllFunc(text, func(m []byte) []byte {
		part := micros.FindSubmatch(m)
		digits := string(part[2]) + (string(part[3]) + "000")[:3]
		return []byte(`_ns":` + string(part[1]) + cmp.Or(strings.TrimLeft(digits, "0"), "0"))
	})
}

// The traces are the same, to the byte, on every processor and at any time: .ci/run
// holds this on two other architectures, whose integers are shorter and whose floating
// point is fused.
func TestTracesAreTheSameEverywhere(t *testing.T) {
	const file = "testdata/digests.txt"
	got := strings.Join(digests(t), "\n") + "\n"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(was) || line != was[i] {
			t.Fatalf("line %d of %s: now %s; where the model has changed for a reason: go test ./sim -update", i+1, file, line)
		}
	}
	if got != string(want) {
		t.Errorf("%s has lines that nothing is behind; go test ./sim -update", file)
	}
}

// However many processors there are, and however many runs at once.
func TestTracesAreTheSameAtAnyGOMAXPROCS(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var s []linger.Scenario
	for _, strategy := range []string{"close:6", "keep:6", "pipeline", "h2", "h3"} {
		s = append(s, scenario(t, over(t, linger.Gallery(2), "https"), strategy, symmetric(40*time.Millisecond, 8*linger.Mbps, 0.02)))
	}
	var first []string
	for _, n := range []int{1, 2, 3, 16} {
		runtime.GOMAXPROCS(n)
		got := make([]string, len(s))
		var all sync.WaitGroup
		for i := range s {
			all.Go(func() {
				tr, err := Run(t.Context(), s[i], plain)
				if err != nil {
					t.Error(err)
					return
				}
				text, err := json.Marshal(tr)
				if err != nil {
					t.Error(err)
				}
				got[i] = fmt.Sprintf("%x", sha256.Sum256(text))
			})
		}
		all.Wait()
		if first == nil {
			first = got
		}
		for i := range got {
			if got[i] != first[i] {
				t.Errorf("%s differs with GOMAXPROCS=%d", s[i].Strategy.Name, n)
			}
		}
	}
}
