package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"linger/profile"
)

// FuzzList reads lists of servers: each line that is no comment is one, probed or refused
// with a reason.
func FuzzList(f *testing.F) {
	f.Add("https://a/\n# comment\n\ufeffhttp://b # not c\n\n ftp://d\nhttp://]0\n")
	f.Add("http://a:99999/\x00\r\nhttp://\x1b[31m/")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadList(strings.NewReader(text), Config{Answer: time.Second})
		if err != nil {
			return
		}
		last := 0
		for _, one := range list {
			if one.Target == "" || one.Line <= last {
				t.Errorf("%+v", one)
			}
			last = one.Line
		}
	})
}

func TestTogether(t *testing.T) {
	servers := []Config{{Target: "a"}, {Target: "b"}, {Target: "c"}}
	broken := errors.New("broken")
	ctx, stop := context.WithCancel(t.Context())
	got := make([]string, len(servers))
	Together(ctx, servers, 1, func(_ context.Context, c Config) (*profile.Profile, error) {
		if c.Target == "b" {
			stop()
			return nil, broken
		}
		return &profile.Profile{Target: c.Target}, nil
	}, func(i int, p *profile.Profile, err error) {
		if got[i] = "not begun"; p != nil {
			got[i] = p.Target
		} else if !errors.Is(err, ErrNotBegun) {
			got[i] = err.Error()
		}
	})
	if all := strings.Join(got, ", "); all != "a, broken, not begun" && all != "a, broken, c" {
		t.Errorf("told are %s", all)
	}
}
