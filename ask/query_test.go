package ask

import (
	"errors"
	"net/http"
	"testing"

	"linger"
)

func TestQueriesOverHTTP(t *testing.T) {
	q, err := NewQuery(linger.Query{Name: "example.org", Type: "A"}, linger.OverHTTPS, 0)
	if err != nil {
		t.Fatal(err)
	}
	post := q.OverHTTP(linger.Exchange{}, DefaultPath, false)
	if post.Method != http.MethodPost || post.Path != "/dns-query" || post.RequestBody != int64(len(q.Message)) || post.Status != 200 {
		t.Errorf("%+v", post)
	}
	get := q.OverHTTP(linger.Exchange{}, "/q", true)
	if get.Method != http.MethodGet || get.RequestBody != 0 || len(get.Path) <= len("/q?dns=") {
		t.Errorf("%+v", get)
	}
	var names []string
	for _, f := range Fields(Request{Exchange: post, Query: q}, linger.SchemeHTTPS, "resolver", Message{Agent: "own/1"}) {
		names = append(names, f.Name)
	}
	// RFC 8484, 8.2: nothing that tells a user from others.
	if got := len(names); got != 7 || names[4] != "accept" || names[5] != "content-type" {
		t.Errorf("fields %v", names)
	}
}

func TestWhatHoldsNoAnswer(t *testing.T) {
	for _, test := range []struct {
		status int
		kind   string
		want   string
	}{
		{200, DNSMessage, ""},
		{204, DNSMessage, ""},
		{503, DNSMessage, "HTTP status 503"},
		{200, "", "content without a type, not application/dns-message"},
		{200, "text/html", "content of the type text/html, not application/dns-message"},
	} {
		if got := Unfit(test.status, test.kind); got != test.want {
			t.Errorf("%d, %q: %q, want %q", test.status, test.kind, got, test.want)
		}
	}
}

func TestAnswersAreJudged(t *testing.T) {
	asked := linger.Query{Name: "example.org", Type: "A"}
	q, err := NewQuery(asked, linger.OverTCP, 7)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(id uint16, rcode byte) []byte {
		b := append([]byte(nil), q.Message...)
		b[0], b[1] = byte(id>>8), byte(id)
		b[2] |= 0x80 // QR: a response (RFC 1035, 4.1.1)
		b[3] = b[3]&0xf0 | rcode
		return b
	}
	for _, test := range []struct {
		name    string
		message []byte
		strict  bool
		rcode   string
		reason  string
		other   bool
	}{
		{"an answer", answer(7, 0), true, "NOERROR", "", false},
		{"no such name", answer(7, 3), false, "NXDOMAIN", "", false},
		{"no such name, and it is there", answer(7, 3), true, "NXDOMAIN", "server answered NXDOMAIN, and the name is in the workload", false},
		{"a failure", answer(7, 2), false, "SERVFAIL", "server answered SERVFAIL", false},
		{"another ID", answer(8, 0), false, "", "", true},
		{"a few bytes", []byte("x"), false, "", "1 bytes that are no message of DNS", true},
	} {
		q.Strict = test.strict
		_, err := q.Read(test.message)
		if _, other := errors.AsType[Mismatch](err); other != test.other {
			t.Errorf("%s: %v", test.name, err)
		}
		rcode, reason := q.Judge(test.message)
		if rcode != test.rcode || !test.other && reason != test.reason || test.other && (reason == "" || test.reason != "" && reason != test.reason) {
			t.Errorf("%s: %q, %q", test.name, rcode, reason)
		}
	}
	if _, err := NewQuery(linger.Query{Name: "a..b", Type: "A"}, linger.OverTCP, 1); err == nil {
		t.Error("a name with an empty label can be asked for")
	}
}
