package predict

import (
	"strings"
	"testing"
)

func TestParseSetting(t *testing.T) {
	for _, test := range []struct{ text, same, wrong string }{
		{text: "idle=1m15s", same: "idle=75s"},
		{text: "idle=15m"},
		{text: "idle=2h"},
		{text: "connections=6,idle=90s", same: "idle=90s,connections=6"},
		{text: " order=lru , max-requests=1000 ", same: "order=lru,max-requests=1000"},
		{text: "server-idle=500ms,h2,resume"},
		{text: "", wrong: `"" is not known; known are idle=75s`},
		{text: "idel=75s", wrong: `"idel" is not known; did you mean idle? known are idle=75s, connections=6, order=mru, order=lru`},
		{text: "idle", wrong: `idle cannot be ""; write idle=75s`},
		{text: "idle=75", wrong: `idle cannot be "75"; write idle=75s`},
		{text: "idle=-1s", wrong: "idle cannot be"},
		{text: "connections=0", wrong: "connections cannot be"},
		{text: "order=fifo", wrong: `order cannot be "fifo"; write order=mru or order=lru`},
		{text: "h2=yes", wrong: "h2 has no value; write h2"},
		{text: "idle=1s,idle=2s", wrong: "idle stands twice"},
		{text: "h2,connections=6", wrong: "h2 is one connection for each client"},
	} {
		s, err := ParseSetting(test.text)
		if test.wrong != "" {
			if err == nil || !strings.HasPrefix(err.Error(), test.wrong) {
				t.Errorf("%q: %v, want %q", test.text, err, test.wrong)
			}
			continue
		}
		same := test.same
		if same == "" {
			same = test.text
		}
		if err != nil || s.String() != same {
			t.Errorf("%q: %q, %v, want %q", test.text, s, err, same)
		}
		if again, err := ParseSetting(s.String()); err != nil || again != s {
			t.Errorf("%q read again: %+v, %v, want %+v", s, again, err, s)
		}
	}
}

// Whatever is read, is read again from what is written of it.
func FuzzParseSetting(f *testing.F) {
	f.Add("connections=6,idle=90s,order=mru,max-requests=5,server-idle=75s,resume")
	f.Add("h2")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSetting(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: more than a line: %v", text, err)
			}
			return
		}
		if again, err := ParseSetting(s.String()); err != nil || again != s {
			t.Errorf("%q, written %q, read again %+v, %v", text, s, again, err)
		}
	})
}

func TestGrid(t *testing.T) {
	seen := map[Setting]bool{}
	for _, s := range Grid() {
		if seen[s] {
			t.Errorf("%v stands twice", s)
		}
		seen[s] = true
	}
	if n := len(GridIdle) * (len(GridConnections)*len(GridOrder) + 1); len(seen) != n {
		t.Errorf("%d settings, want %d", len(seen), n)
	}
}
