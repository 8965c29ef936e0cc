package logs

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"linger/finding"
	"linger/internal/testall"
	"linger/observe"
	"linger/tune"
)

// repeated is a block over and over again, so many bytes in all, and none of it is kept.
type repeated struct {
	block []byte
	left  int64
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.block[r.at:])
	r.at, r.left = (r.at+n)%len(r.block), r.left-int64(n)
	return n, nil
}

func caveat(r *tune.Result, code string) (found finding.Caveat) {
	for _, c := range r.Caveats {
		if c.Code == code {
			found = c
		}
	}
	return found
}

// size is 10 GB of what must not take memory, and less where a test may not take long.
func size() int64 {
	if testall.Asked() {
		return 10e9
	}
	return 32 << 20
}

// hold fails if more than some memory is held after what was done.
func hold(t *testing.T, most uint64, do func()) {
	t.Helper()
	var m runtime.MemStats
	do()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > most {
		t.Errorf("%d bytes are held", m.HeapAlloc)
	}
}

func TestGarbage(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 2))
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(luck.Uint32())
	}
	// From the beginning it is no log, which is said at once.
	_, err := Log{}.Read(t.Context(), []observe.Source{{Name: "garbage", From: &repeated{block, size(), 0}}}, tune.Asked{})
	if err == nil || !strings.Contains(err.Error(), "its format is none that is known") || strings.ContainsAny(err.Error(), "\n\x00\x1b") {
		t.Errorf("garbage: %.200q", fmt.Sprint(err))
	}
	// Behind a log its lines are counted, and the first is shown.
	hold(t, 128<<20, func() {
		good := lines(strings.Fields(strings.Repeat("10.0.0.1 10.0.0.2 ", 200))...) + strings.Repeat("\n", 1<<20)
		r, err := Log{}.Read(t.Context(), []observe.Source{{Name: "log", From: io.MultiReader(strings.NewReader(good), &repeated{block, size(), 0})}}, tune.Asked{})
		if err != nil {
			t.Fatal(err)
		}
		if c := caveat(r, tune.CaveatBad); r.Requests != 400 || r.Log.Bad == 0 || r.Log.Bytes < size() || c.Figures.Text("first") == "" {
			t.Errorf("garbage behind a log: %d requests of %+v, %+v", r.Requests, r.Log, c)
		}
	})
}

func TestOneHugeLine(t *testing.T) {
	hold(t, 128<<20, func() {
		_, err := Log{}.Read(t.Context(), []observe.Source{{Name: "line", From: &repeated{[]byte("abcdefgh"), size(), 0}}}, tune.Asked{})
		if err == nil || !strings.Contains(err.Error(), "lines of more than 64 KiB") {
			t.Errorf("a line without an end: %v", err)
		}
		r, err := Log{}.Read(t.Context(), []observe.Source{{Name: "log", From: io.MultiReader(strings.NewReader(lines("10.0.0.1", "10.0.0.2")), &repeated{[]byte("abcdefgh"), size(), 0}, strings.NewReader("\n"+line("10.0.0.1", noon.Add(time.Minute))))}}, tune.Asked{})
		if err != nil || r.Requests != 3 || r.Log.Bad != 1 {
			t.Errorf("a huge line within a log: %+v, %v", r, err)
		}
	})
}

func TestOneLine(t *testing.T) {
	for _, text := range []string{lines("10.0.0.1"), strings.TrimSuffix(lines("10.0.0.1"), "\n")} {
		r, err := read(t.Context(), Log{}, text)
		if err != nil || r.Requests != 1 || r.Findings[0].Cause != tune.AdviceFew || r.Advised != nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// A log that is later than now is read as it is, and it is said.
func TestLogOfTheFuture(t *testing.T) {
	now := noon.Add(-24 * time.Hour)
	r, err := read(t.Context(), Log{Now: now}, lines("10.0.0.1", "10.0.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	if c := caveat(r, tune.CaveatFuture); c.Figures.Value("ahead").Or(0) != 86401e3 || !c.Decisive {
		t.Errorf("%+v", r.Caveats)
	}
	if r, err = read(t.Context(), Log{Now: noon.Add(-time.Minute)}, lines("10.0.0.1", "10.0.0.2")); err != nil || caveat(r, tune.CaveatFuture).Code != "" {
		t.Errorf("clocks that differ by a minute: %+v, %v", r.Caveats, err)
	}
	// Nanoseconds end in 2262: what is later is no line of a log.
	late := strings.ReplaceAll(lines("10.0.0.1"), "2026", "2999")
	if _, err = read(t.Context(), Log{}, late); err == nil {
		t.Error("the year 2999 is read")
	}
}

// Two logs that were written into one file: lines of one format are one log in order of time;
// of two formats, those of the other are bad lines, or no format is found.
func TestTwoLogsInterleaved(t *testing.T) {
	var both, mixed, rare bytes.Buffer
	for i := range 300 {
		one, other := line("10.0.0.1", noon.Add(time.Duration(i)*time.Second)), line("10.0.0.2", noon.Add(time.Duration(i)*time.Second-30*time.Second))
		json := fmt.Sprintf("{\"time\":%q,\"remote_addr\":\"10.0.0.2\",\"status\":200}\n", noon.Add(time.Duration(i)*time.Second).Format(time.RFC3339))
		both.WriteString(one + other)
		mixed.WriteString(one + json)
		rare.WriteString(one)
		if i%50 == 49 {
			rare.WriteString(json)
		}
	}
	r, err := read(t.Context(), Log{}, both.String())
	if err != nil || r.Requests != 600 || r.Clients != 2 || r.Gaps[1] != 598 {
		t.Errorf("of one format: %+v, %v", r, err)
	}
	if _, err = read(t.Context(), Log{}, mixed.String()); err == nil || !strings.Contains(err.Error(), "its format is none that is known") {
		t.Errorf("of two: %v", err)
	}
	r, err = read(t.Context(), Log{}, rare.String())
	if err != nil || r.Requests != 300 || r.Log.Bad != 6 || !strings.HasPrefix(caveat(r, tune.CaveatBad).Figures.Text("first"), "{") {
		t.Errorf("with some of another: %+v, %v", r, err)
	}
}
