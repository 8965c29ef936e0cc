package linger

import (
	"encoding/json"
	"testing"
	"time"
)

func TestUnknownIsNotZero(t *testing.T) {
	type figures struct {
		A Opt[int] `json:"a,omitzero"`
		B Opt[int] `json:"b,omitzero"`
		C Opt[int] `json:"c"`
	}
	b, err := json.Marshal(figures{A: Known(0)})
	if want := `{"a":0,"c":null}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
	var back figures
	if err := json.Unmarshal(b, &back); err != nil || back != (figures{A: Known(0)}) {
		t.Errorf("read back: %+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"a":"x"}`), &back); err == nil {
		t.Error("a text was read as a number")
	}
	if got := back.B.Or(7); got != 7 {
		t.Errorf("Or of unknown: %d", got)
	}
}

func TestInstant(t *testing.T) {
	if got := Never.Add(time.Second); got != Never {
		t.Errorf("a second after never: %v", got)
	}
	if got := Instant(1500).Add(time.Microsecond).Sub(500); got != 2*time.Microsecond {
		t.Errorf("Add and Sub: %v", got)
	}
	if got := Instant(1_500_000).Milliseconds(); got != 1.5 {
		t.Errorf("Milliseconds: %v", got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"close", "keep", "pipeline", "lte", "lan"}
	for got, want := range map[string]string{
		"clsoe": "close", "KEEP": "keep", "pipe": "pipeline", "lt": "lte lan", "xyzzy": "", "": "", "l": "lte lan",
	} {
		out := ""
		for i, n := range Nearest(got, names) {
			if i > 0 {
				out += " "
			}
			out += n
		}
		if out != want {
			t.Errorf("Nearest(%q) = %q; want %q", got, out, want)
		}
	}
}
