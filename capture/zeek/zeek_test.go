package zeek

import (
	"io"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

// A kept keeps what it is given.
type kept struct {
	connections []trace.Connection
	exchanges   []trace.Exchange
}

func (k *kept) WriteConnection(c *trace.Connection) error {
	k.connections = append(k.connections, *c)
	return nil
}

func (k *kept) WriteExchange(e *trace.Exchange) error {
	k.exchanges = append(k.exchanges, *e)
	return nil
}

func readAll(t *testing.T, logs ...string) (kept, Summary) {
	t.Helper()
	var inputs []Input
	for _, l := range logs {
		inputs = append(inputs, Input{Name: "log", From: strings.NewReader(l)})
	}
	in, err := Open(inputs)
	if err != nil {
		t.Fatal(err)
	}
	var k kept
	sum, err := in.Read(&k)
	if err != nil {
		t.Fatal(err)
	}
	return k, sum
}

// tabs are columns, as they are in a log.
func tabs(lines ...string) string {
	return strings.ReplaceAll(strings.Join(lines, "\n"), " ", "\t") + "\n"
}

const (
	connHead = `#separator_\x09|#set_separator ,|#empty_field (empty)|#unset_field -|#path conn|#fields ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes`
	httpHead = `#separator_\x09|#path http|#fields ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri user_agent request_body_len response_body_len status_code username resp_fuids`
	fileHead = `#separator_\x09|#path files|#fields ts fuid source duration seen_bytes`
)

func heading(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(s, " ", "\t"), "_\\x09", " \\x09"), "|", "\n") + "\n"
}

var (
	connLog = heading(connHead) + tabs("1000.500000 C1 192.0.2.1 1234 192.0.2.2 80 tcp http 5.250000 100 2000 S3 ShADadf 10 600 9 2400")
	httpLog = heading(httpHead) + tabs(
		`1001.000000 C1 192.0.2.1 1234 192.0.2.2 80 1 GET shop.example /a\x20b curl/8 0 500 200 - F1,F2`,
		"1002.000000 C1 192.0.2.1 1234 192.0.2.2 80 2 GET shop.example /c curl/8 0 0 304 - -",
		"1003.000000 C1 192.0.2.1 1234 192.0.2.2 80 3 GET shop.example /d curl/8 0 0 - - -")
	fileLog = heading(fileHead) + tabs("1001.250000 F1 HTTP 0.250000 500")
)

const (
	connJSON = `{"ts":1000.5,"uid":"C1","id.orig_h":"192.0.2.1","id.orig_p":1234,"id.resp_h":"192.0.2.2","id.resp_p":80,"proto":"tcp","service":"http","duration":5.25,"orig_bytes":100,"resp_bytes":2000,"conn_state":"S3","history":"ShADadf","orig_pkts":10,"orig_ip_bytes":600,"resp_pkts":9,"resp_ip_bytes":2400}` + "\n"
	httpJSON = `{"ts":"1970-01-01T00:16:41.000000Z","uid":"C1","trans_depth":1,"method":"GET","host":"shop.example","uri":"/a b","status_code":200,"response_body_len":500,"resp_fuids":["F1"],"user_agent":"curl/8"}
{"ts":1002.0,"uid":"C1","trans_depth":2,"method":"GET","host":"shop.example","uri":"/c","status_code":304}
{"ts":1003.0,"uid":"C1","trans_depth":3,"method":"GET","host":"shop.example","uri":"/d","status_code":null}
`
	fileJSON = `{"ts":1001.25,"fuid":"F1","source":"HTTP","duration":0.25,"seen_bytes":500}` + "\n"
)

// Columns and JSON say the same, in whichever order the logs are named.
func TestConnectionWithItsRequests(t *testing.T) {
	for name, logs := range map[string][]string{
		"columns":  {connLog, httpLog, fileLog},
		"reversed": {fileLog, httpLog, connLog},
		"JSON":     {connJSON, httpJSON, fileJSON},
		"one file": {connJSON + httpJSON + fileJSON},
		"heads between, as of rotated logs that were put together": {connLog + "#close\t2026\n" + httpLog + fileLog},
	} {
		k, sum := readAll(t, logs...)
		if len(k.connections) != 1 || len(k.exchanges) != 3 || sum.Wrong+sum.Unplaced > 0 {
			t.Errorf("%s: %+v, %+v", name, k, sum)
			continue
		}
		c, e := k.connections[0], k.exchanges
		s := func(f float64) linger.Instant { return linger.Instant(f * float64(time.Second)) }
		began := s(0)
		if c.Dialled != began || c.BeganBefore || c.Closed.Or(0) != began+s(5.25) || c.ClosedBy != trace.AtServer || c.ClosedWith != trace.FIN || c.Known.Closed != "" ||
			c.Client != "192.0.2.1:1234" || c.Server != "192.0.2.2:80" || c.Protocol != linger.HTTP11 || c.Requests != 3 || c.Agent != "curl/8" {
			t.Errorf("%s: %+v", name, c)
		}
		if up := c.Up.Or(trace.Flow{}); up.Packets != 10 || up.Bytes() != 600 || up.Payload != 100 || up.SYN != 1 || up.FIN != 0 {
			t.Errorf("%s: %+v", name, up)
		}
		if e[0].URL != "http://shop.example/a b" || e[0].Sent.Or(0) != s(0.5) || e[0].FirstByte.Or(0) != s(0.75) || e[0].Done.Or(0) != s(1) || !e[0].DoneBy.IsZero() || e[0].Known != trace.Announced {
			t.Errorf("%s: %+v", name, e[0])
		}
		if !e[1].Done.IsZero() || e[1].DoneBy.Or(0) != s(2.5) || e[1].Status != 304 {
			t.Errorf("%s: without a body: %+v", name, e[1])
		}
		if e[2].Failed == "" || e[2].Status != 0 || e[2].DoneBy.Or(0) != s(5.25) {
			t.Errorf("%s: without a response: %+v", name, e[2])
		}
	}
}

// Who closed is the side whose letter comes first; when is known where none follows.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		state, history string
		by             trace.Peer
		with           trace.Signal
		known          trace.How
		before, open   bool
	}{
		{"SF", "ShADadFf", trace.AtClient, trace.FIN, trace.Inferred, false, false},
		{"SF", "ShADadfF", trace.AtServer, trace.FIN, trace.Inferred, false, false},
		{"S2", "ShADadF", trace.AtClient, trace.FIN, "", false, false},
		{"RSTO", "ShADadR", trace.AtClient, trace.RST, "", false, false},
		{"RSTO", "ShADadfR", trace.AtServer, trace.FIN, trace.Inferred, false, false},
		{"REJ", "Sr", trace.AtServer, trace.RST, "", false, false},
		{"S1", "ShADad", "", "", "", false, true},
		{"OTH", "DdA", "", "", "", true, true},
		{"SF", "^sHadDaFf", trace.AtClient, trace.FIN, trace.Inferred, false, false},
		{"S0", "S", "", "", "", false, false},
	} {
		r := &row{head: &head{unset: "-", columns: map[string]int{"conn_state": 0, "history": 1, "ts": 2}}, values: []string{c.state, c.history, "5.0"}}
		var got trace.Connection
		(&Logs{}).ends(&got, r)
		if got.ClosedBy != c.by || got.ClosedWith != c.with || got.Known.Closed != c.known || got.BeganBefore != c.before || got.StillOpen != c.open {
			t.Errorf("%s %s: %+v", c.state, c.history, got)
		}
	}
}

// What ssl.log says of a handshake is the connection's; what it does not is not known.
func TestHandshake(t *testing.T) {
	ssl := `{"ts":1000.6,"uid":"C1","version":"TLSv12","cipher":"TLS_X","server_name":"shop.example","resumed":true,"next_protocol":"h2","established":true}` + "\n"
	k, _ := readAll(t, strings.Replace(connJSON, `"service":"http"`, `"service":"ssl"`, 1), ssl)
	c := k.connections[0]
	if s, ok := c.TLS.Get(); !ok || s.Version != "1.2" || s.ServerName != "shop.example" || !s.Resumed || s.ALPN != "h2" || c.Protocol != linger.H2 || !c.Secured.IsZero() {
		t.Errorf("%+v", c)
	}
}

// What cannot be used is counted, and what is missing is said.
func TestWhatIsPassedOver(t *testing.T) {
	k, sum := readAll(t, connJSON+strings.Replace(connJSON, `"tcp"`, `"icmp"`, 1)+`{"ts":1,"uid":"D1","query":"x"}`+"\n"+`{"uid":"C9","conn_state":"SF"}`+"\n", strings.ReplaceAll(httpJSON, "C1", "C7"))
	if len(k.connections) != 1 || sum.Passed != 2 || sum.Wrong != 1 || sum.Unplaced != 3 {
		t.Errorf("%d connections, %+v", len(k.connections), sum)
	}
	if _, err := Open([]Input{{Name: "http.log", From: strings.NewReader(httpLog)}}); err == nil || !strings.Contains(err.Error(), "no conn.log") {
		t.Errorf("%v", err)
	}
	k, sum = readAll(t, connJSON+"{cut off")
	if len(k.connections) != 1 || len(sum.Problems) != 1 {
		t.Errorf("cut off: %+v, %+v", k, sum)
	}
}

// FuzzRead sees that whatever is read makes records that a stream takes.
func FuzzRead(f *testing.F) {
	for _, s := range []string{connLog + httpLog + fileLog, connJSON + httpJSON + fileJSON, "#separator \\x2c\n#fields,ts,uid\n1,2\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Open([]Input{{Name: "x", From: strings.NewReader(string(b))}})
		if err != nil {
			return
		}
		w, err := trace.NewStreamWriter(io.Discard, trace.Source{}, trace.Stream{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Read(w); err != nil && !strings.Contains(err.Error(), "out of bounds") {
			t.Fatal(err)
		}
	})
}
