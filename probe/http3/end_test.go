package http3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger/probe/prober"
	"linger/wire"
)

func TestSettingsThatMeanSomething(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		payload []byte
		want    map[string]uint64
	}{
		{"none", nil, map[string]uint64{}},
		{"two that have names", []byte{6, 0x44, 0, 1, 0}, map[string]uint64{"SETTINGS_MAX_FIELD_SECTION_SIZE": 1024, "SETTINGS_QPACK_MAX_TABLE_CAPACITY": 0}},
		{"one that has none", []byte{0x2b, 7}, map[string]uint64{"0x2b": 7}},
		// RFC 9114, 7.2.4.1: those of the form 0x1f * N + 0x21 are reserved.
		{"reserved to mean nothing", []byte{0x21, 7, 0x40, 0x40, 7}, map[string]uint64{}},
		{"cut short", []byte{6, 0x44}, map[string]uint64{}},
	} {
		if got := settingsIn(test.payload); !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestReasonsOfEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		err            error
		closing, local string
	}{
		{"no error of HTTP/3", &quic.ApplicationError{Remote: true, ErrorCode: quic.ApplicationErrorCode(http3.ErrCodeNoError)}, "CONNECTION_CLOSE H3_NO_ERROR", ""},
		{"too much", fmt.Errorf("asked: %w", &quic.ApplicationError{Remote: true, ErrorCode: quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), ErrorMessage: "too\x1bmuch"}), `CONNECTION_CLOSE H3_EXCESSIVE_LOAD "too.much"`, ""},
		{"of QUIC itself", &quic.TransportError{Remote: true, ErrorCode: quic.ConnectionRefused}, "CONNECTION_CLOSE CONNECTION_REFUSED", ""},
		{"by this side", &quic.TransportError{ErrorCode: quic.FrameEncodingError, ErrorMessage: "bad frame"}, "", "what it sends is no HTTP/3: FRAME_ENCODING_ERROR bad frame"},
		{"none", &quic.IdleTimeoutError{}, "", ""},
	} {
		closing, local := closingOf(test.err)
		if closing == nil && test.closing != "" || closing != nil && closing.String() != test.closing || local != test.local {
			t.Errorf("%s: %v, %q; want %q, %q", test.name, closing, local, test.closing, test.local)
		}
	}
	if closing, _ := closingOf(&quic.ApplicationError{Remote: true, ErrorCode: quic.ApplicationErrorCode(http3.ErrCodeNoError)}); closing.Error {
		t.Error("H3_NO_ERROR is an error")
	}
}

func TestCausesOfNoConnection(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		syscall.ECONNREFUSED:            "nothing listens there",
		context.DeadlineExceeded:        "no answer in time",
		prober.ErrSilent:                "no answer in time",
		&quic.HandshakeTimeoutError{}:   "no answer in time",
		errors.New("something\nbroken"): "something",
		&tls.CertificateVerificationError{Err: errors.New("x509: unknown authority")}: "the certificate is not valid: unknown authority",
	} {
		if got := quicCause(err); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// TestAnswersOfFrames reads responses frame by frame, as a request of ours is written.
func TestAnswersOfFrames(t *testing.T) {
	t.Parallel()
	head := func(fields ...string) []byte {
		var block bytes.Buffer
		e := qpack.NewEncoder(&block)
		for i := 0; i < len(fields); i += 2 {
			e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return append(wire.AppendFrameHeader(nil, wire.FrameHeaders, block.Len()), block.Bytes()...)
	}
	data := func(s string) []byte { return append(wire.AppendFrameHeader(nil, wire.FrameData, len(s)), s...) }
	for _, test := range []struct {
		name   string
		frames [][]byte
		want   answer
		wrong  string
	}{
		{"whole", [][]byte{head(":status", "200", "server", "x"), data("hello")}, answer{status: 200, names: []string{"server"}, length: 5}, ""},
		{"an interim one first", [][]byte{head(":status", "103"), head(":status", "204")}, answer{status: 204}, ""},
		{"refused for the rate", [][]byte{head(":status", "429", "retry-after", "3")}, answer{status: 429, names: []string{"retry-after"}, retryAfter: "3"}, ""},
		{"a frame that nobody knows", [][]byte{head(":status", "200"), {0x21, 2, 'a', 'b'}, data("hello")}, answer{status: 200, length: 5}, ""},
		{"a head of nonsense", [][]byte{{wire.FrameHeaders, 2, 0xff, 0xff}}, answer{}, "EOF"},
		{"a head that is too long", [][]byte{wire.AppendFrameHeader(nil, wire.FrameHeaders, prober.MaxHead+1)}, answer{}, "longer than 256 kB"},
		{"content that is too long", [][]byte{wire.AppendFrameHeader(nil, wire.FrameData, prober.MaxBody+1)}, answer{}, "longer than 4 MB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got answer
			var err error
			c := new(conn)
			for r := bufio.NewReader(bytes.NewReader(slices.Concat(test.frames...))); err == nil; {
				if _, end := r.Peek(1); end != nil {
					break
				}
				err = c.part(r, &got)
			}
			if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("it cannot be read: %v; want %q", err, test.wrong)
			}
			if got.status != test.want.status || got.length != test.want.length || got.retryAfter != test.want.retryAfter || !slices.Equal(got.names, test.want.names) {
				t.Errorf("it is %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRequestsAreFrames(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("https://www.example/page")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, method, content string }{{"GET", "GET", ""}, {"POST with content", "POST", "hello"}} {
		terms := prober.Terms{URL: u}
		terms.Message.Method, terms.Message.Content = test.method, []byte(test.content)
		p := prober.New(terms)
		defer p.NoMore()
		r := bufio.NewReader(bytes.NewReader((&conn{prober: p}).request()))
		kind, block, err := readFrame(r, 1<<10)
		if err != nil || kind != wire.FrameHeaders {
			t.Fatalf("%s: frame %d: %v", test.name, kind, err)
		}
		f, err := qpack.NewDecoder().Decode(block)()
		if err != nil || f.Name != ":method" || f.Value != test.method {
			t.Errorf("%s: it begins by %v (%v)", test.name, f, err)
		}
		_, content, err := readFrame(r, 1<<10)
		if string(content) != test.content || (err == nil) != (test.content != "") {
			t.Errorf("%s: its content is %q (%v)", test.name, content, err)
		}
	}
}
