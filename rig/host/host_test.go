package host

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/ask"
	"linger/live"
	"linger/origin/authority"
)

// A host that is not told what to do, or to be what no host is, says so.
func TestHostsWithoutAnOrder(t *testing.T) {
	for _, c := range []struct{ role, in, want string }{
		{"client", "", "host client: no order on standard input: EOF"},
		{"origin", "{", "host origin: no order on standard input: unexpected EOF"},
		{"browser", "[]", "host browser: no order on standard input: json: cannot unmarshal array into Go value of type host.browserOrder"},
		{"client", "{}", "host client: the order's authority is no certificate"},
		{"crowd", "", "host crowd: no order on standard input: EOF"},
		{"crowd", "{}", "host crowd: the order's authority is no certificate"},
		{"judge", "", "judge: no role of a host; it is client, crowd, browser or origin"},
	} {
		var out bytes.Buffer
		err := Run(context.Background(), c.role, strings.NewReader(c.in), &out, nil)
		if err == nil || err.Error() != c.want || out.Len() > 0 {
			t.Errorf("%s told %q: %v, %q; want %s", c.role, c.in, err, out.String(), c.want)
		}
	}
}

func TestOnlyAHostIsInside(t *testing.T) {
	for _, args := range [][]string{{"linger"}, {"linger", "host"}, {"linger", "compare", "client"}, {"linger", "host", "client", "more"}} {
		if status, inside := Inside(args, nil); inside {
			t.Errorf("%q is a host, which ended with %d", args, status)
		}
	}
}

// What a client is told arrives as it was said.
func TestOrdersPassAsTheyAre(t *testing.T) {
	order := ClientOrder{
		Scenario: linger.Scenario{Workload: linger.Gallery(1), Strategy: linger.Strategy{Name: "keep"}, Seed: 3},
		Places:   []live.Place{{Address: "10.0.2.1:80", Host: "origin"}}, Authority: []byte("PEM"), Agent: "linger/dev",
		Pace: time.Second, Secrets: true, Own: &OwnOrder{URL: "http://origin/", Reach: Reach{Insecure: true, Message: ask.Message{Content: []byte{0, 1}}}},
	}
	b, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	var came ClientOrder
	if err := take("client", bytes.NewReader(b), &came); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(came)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%v: came as\n%s, was\n%s", err, again, b)
	}
	if came.Pace != order.Pace || !came.Own.Reach.Insecure || !bytes.Equal(came.Own.Reach.Message.Content, []byte{0, 1}) || came.Places[0] != order.Places[0] {
		t.Errorf("came as %+v", came)
	}
}

// The end of standard input is the word to stop.
func TestHostsHeedTheEndOfTheirInput(t *testing.T) {
	in, end := io.Pipe()
	ctx, stop := streams{in: in}.heeding(context.Background())
	defer stop()
	if ctx.Err() != nil {
		t.Error("it has ended before its input")
	}
	end.Close()
	<-ctx.Done()
}

func TestReach(t *testing.T) {
	ca, err := authority.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		reach Reach
		wrong string
		roots bool
	}{
		{"nothing said: the system's authorities", Reach{}, "", false},
		{"authorities of its own", Reach{Authorities: ca.PEM()}, "", true},
		{"authorities that are none", Reach{Authorities: []byte("-")}, "the authorities have no certificate in PEM", false},
		{"a certificate that is none", Reach{Certificate: []byte("-")}, "tls: failed to find any PEM data in certificate input", false},
	} {
		config, err := c.reach.Config()
		switch {
		case c.wrong != "":
			if err == nil || err.Error() != c.wrong {
				t.Errorf("%s: %v; want %s", c.name, err, c.wrong)
			}
		case err != nil || (config.Roots != nil) != c.roots:
			t.Errorf("%s: %v, roots %v", c.name, err, config.Roots)
		}
	}
}

// A user's own server is found where the lab has it, whatever its URL names.
func TestOwnServersAreFoundInTheLab(t *testing.T) {
	config, err := OwnOrder{URL: "https://shop.example:8443/a", Address: "10.0.2.1:8443"}.Config()
	if err != nil {
		t.Fatal(err)
	}
	if config.Address != "10.0.2.1:8443" || config.Host != "shop.example:8443" || config.Encoding != "gzip" || !config.Statuses {
		t.Errorf("%+v", config)
	}
	if _, err := (OwnOrder{URL: "ftp://shop.example/"}).Config(); err == nil {
		t.Error("ftp is fetched")
	}
}

// Qlogs are kept apart, and none grows without end.
func TestQlogsAreBounded(t *testing.T) {
	q := NewQlogs()
	one, two := q.Open(1), q.Open(2)
	io.WriteString(two, "two")
	chunk := make([]byte, maxQlog/2+1)
	for range 3 {
		if n, err := one.Write(chunk); n != len(chunk) || err != nil {
			t.Errorf("writing %d bytes gave %d, %v", len(chunk), n, err)
		}
	}
	one.Close()
	if got := q.Bytes(); len(got) != 2 || len(got[1]) != len(chunk) || string(got[2]) != "two" {
		t.Errorf("%d logs, of %d and %d bytes", len(got), len(got[1]), len(got[2]))
	}
}
