// Package dns makes and reads messages of DNS (RFC 1035, 4): queries, answers, and
// what the standards want said in them on each transport. It knows no sockets. The
// coding itself is a library's, and this package its only door.
package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	wire "github.com/miekg/dns"

	"linger"
)

const (
	// UDPSize is the longest answer in bytes that a query asks for over UDP: what fits
	// into one packet on any path of today. Queries of every transport say it, as
	// they do in practice.
	UDPSize = 1232
	// queryBlock is what an encrypted query's length is padded to a multiple of, in
	// bytes: "Clients SHOULD pad queries to the closest multiple of 128 octets" (RFC
	// 8467, 4.1). Answers have blocks of 468.
	queryBlock, answerBlock = 128, 468
	// keepaliveUnit is what the timeout of edns-tcp-keepalive counts (RFC 7828, 3.1).
	keepaliveUnit = 100 * time.Millisecond
	// MaxKeepalive is the longest idle limit that can be said.
	MaxKeepalive = (1<<16 - 1) * keepaliveUnit
)

// Options are what a message says beside its question, which is the transport's
// affair.
type Options struct {
	// ID is what tells answers apart on one connection or socket. Over HTTPS and
	// QUIC it is 0 (RFC 8484, 4.1; RFC 9250, 4.2.1).
	ID uint16
	// Pad pads the message, as it ought to be where it is encrypted (RFC 8467).
	Pad bool
	// Keepalive asks how long the connection may be idle (RFC 7828): over TCP and
	// TLS only. It is forbidden over UDP (RFC 7828, 3.2.1) and QUIC (RFC 9250, 5.5.2).
	Keepalive bool
	// Plain leaves EDNS out, and with it all other options.
	Plain bool
}

// HeaderSize is the size of what each message begins with, in bytes (RFC 1035, 4.1.1).
const HeaderSize = 12

// OptionsOver returns what a query says that is carried by that, but for its ID.
func OptionsOver(over string) Options {
	switch over {
	case linger.OverTCP:
		return Options{Keepalive: true}
	case linger.OverTLS:
		return Options{Keepalive: true, Pad: true}
	case linger.OverHTTPS, linger.OverQUIC:
		return Options{Pad: true}
	}
	return Options{}
}

// Ask returns the message that asks q, recursion desired.
func Ask(q linger.Query, o Options) ([]byte, error) {
	kind, err := typeOf(q.Type)
	if err != nil {
		return nil, err
	}
	m := new(wire.Msg).SetQuestion(wire.Fqdn(q.Name), kind)
	m.Id = o.ID
	if !o.Plain {
		m.SetEdns0(UDPSize, false)
		opt := m.IsEdns0()
		if o.Keepalive {
			opt.Option = append(opt.Option, &wire.EDNS0_TCP_KEEPALIVE{Code: wire.EDNS0TCPKEEPALIVE})
		}
		if o.Pad {
			pad(m, queryBlock)
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("%s cannot be asked for: %w", q, err)
	}
	return b, nil
}

// typeOf reads the mnemonic of a record type.
func typeOf(name string) (uint16, error) {
	if kind, ok := wire.StringToType[name]; ok && kind != wire.TypeNone {
		return kind, nil
	}
	var kind uint16
	if number, ok := strings.CutPrefix(name, "TYPE"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
		if _, err := fmt.Sscan(number, &kind); err == nil {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("there is no type of record %q; write A, AAAA, HTTPS, MX, or TYPE65 for one without a name", name)
}

// pad adds the padding that brings a message to a multiple of block bytes, as far
// as a message can be so long.
func pad(m *wire.Msg, block int) {
	const header = 4 // of an option
	opt := m.IsEdns0()
	length := m.Len() + header
	if length > linger.MaxMessage {
		return
	}
	missing := (block - length%block) % block
	if length+missing > linger.MaxMessage {
		missing = max(0, linger.MaxMessage-length)
	}
	opt.Option = append(opt.Option, &wire.EDNS0_PADDING{Padding: make([]byte, missing)})
}

// A Message is what has been read.
type Message struct {
	ID        uint16
	Response  bool
	Truncated bool
	// Rcode is the response code, its upper bits from EDNS included (RFC 6891, 6.1.3).
	Rcode int
	// Query is the question, in the case in which it was asked; the zero Query where
	// there is none, or another number than one, or one of another class than IN.
	Query linger.Query
	// Answers counts the records of the answer section.
	Answers int
	// EDNS says that the message has the OPT record (RFC 6891), and UDPSize what that
	// says its sender can take over UDP.
	EDNS    bool
	UDPSize int
	// Padded says that the message has the option of padding, of whatever length.
	Padded bool
	// HasKeepalive says that the message has edns-tcp-keepalive, and Keepalive what idle
	// limit that names: none where it is empty, as in a query (RFC 7828, 3.1: "0 if the
	// TIMEOUT is omitted").
	HasKeepalive bool
	Keepalive    linger.Opt[time.Duration]

	msg    wire.Msg
	headed bool // the header could be read
}

// ErrMalformed says that a message cannot be read to its end. What could be read of
// its head and its question stands in the Message beside it.
var ErrMalformed = errors.New("not a message of DNS")

// keepaliveBytes is how long edns-tcp-keepalive is that names an idle limit (RFC 7828, 3.1).
const keepaliveBytes = 2

// optionLength is how many bytes the first EDNS option of that code has in a message that
// could be read; -1 where there is none.
func optionLength(b []byte, code uint16) int {
	const fixed = 10 // type, class, TTL and length of a record (RFC 1035, 3.2.1)
	be := binary.BigEndian
	questions, records := int(be.Uint16(b[4:])), int(be.Uint16(b[6:]))+int(be.Uint16(b[8:]))+int(be.Uint16(b[10:]))
	off := HeaderSize
	for i := range questions + records {
		_, next, err := wire.UnpackDomainName(b, off)
		if err != nil {
			return -1
		}
		if i < questions {
			off = next + 4
			continue
		}
		if next+fixed > len(b) {
			return -1
		}
		data := next + fixed
		off = data + int(be.Uint16(b[next+8:]))
		if be.Uint16(b[next:]) != wire.TypeOPT || off > len(b) {
			continue
		}
		// RFC 6891, 6.1.2: each option is its code, its length and its data.
		for data+4 <= off {
			n := int(be.Uint16(b[data+2:]))
			if be.Uint16(b[data:]) == code {
				return n
			}
			data += 4 + n
		}
	}
	return -1
}

// Read reads a message. The error wraps ErrMalformed.
func Read(b []byte) (Message, error) {
	var m Message
	err := m.msg.Unpack(b)
	m.headed = len(b) >= HeaderSize
	m.ID, m.Response, m.Truncated, m.Rcode = m.msg.Id, m.msg.Response, m.msg.Truncated, m.msg.Rcode
	m.Answers = len(m.msg.Answer)
	if len(m.msg.Question) == 1 && m.msg.Question[0].Qclass == wire.ClassINET {
		q := m.msg.Question[0]
		m.Query = linger.Query{Name: bare(q.Name), Type: wire.Type(q.Qtype).String()}
	}
	if opt := m.msg.IsEdns0(); opt != nil {
		m.EDNS, m.UDPSize = true, int(opt.UDPSize())
		for _, o := range opt.Option {
			switch o := o.(type) {
			case *wire.EDNS0_PADDING:
				m.Padded = true
			case *wire.EDNS0_TCP_KEEPALIVE:
				m.HasKeepalive = true
				// The coding has 0 for an empty option, too.
				if o.Timeout > 0 || optionLength(b, o.Option()) == keepaliveBytes {
					m.Keepalive = linger.Known(time.Duration(o.Timeout) * keepaliveUnit)
				}
			}
		}
	}
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

// bare takes the dot from the end of a name, but for the root's.
func bare(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// Asks reports whether m bears the question q. Names are compared without regard to
// case (RFC 1035, 2.3.3).
func (m Message) Asks(q linger.Query) bool {
	kind, err := typeOf(q.Type)
	if err != nil || len(m.msg.Question) != 1 {
		return false
	}
	asked := m.msg.Question[0]
	return asked.Qclass == wire.ClassINET && asked.Qtype == kind && canonical(asked.Name) == canonical(q.Name)
}

// canonical returns a name in the one way of writing it that has no needless escape,
// in lower case; one that is none as it is.
func canonical(name string) string {
	if strings.Contains(name, `\`) {
		packed := make([]byte, 256)
		if _, err := wire.PackDomainName(wire.Fqdn(name), packed, 0, nil, false); err == nil {
			if unpacked, _, err := wire.UnpackDomainName(packed, 0); err == nil {
				name = unpacked
			}
		}
	}
	return wire.CanonicalName(name)
}

// Replies reports whether m may be the answer to the query q with that ID, or why
// not. A server that could not read the query need not repeat its question.
func (m Message) Replies(q linger.Query, id uint16) error {
	switch {
	case m.ID != id:
		return fmt.Errorf("the ID %d, not %d", m.ID, id)
	case !m.Response:
		return errors.New("a query in place of an answer")
	case len(m.msg.Question) == 0 && m.Rcode != wire.RcodeSuccess:
		return nil
	case !m.Asks(q):
		return fmt.Errorf("the answer to another question: %s", brief(m.question()))
	}
	return nil
}

func (m Message) question() string {
	switch {
	case len(m.msg.Question) != 1:
		return fmt.Sprintf("%d questions", len(m.msg.Question))
	case m.Query == linger.Query{}:
		return "one of another class"
	}
	return m.Query.String()
}

// brief cuts what others wrote to what fits into a reason.
func brief(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// Rcode returns the mnemonic of a response code: "NXDOMAIN".
func Rcode(code int) string {
	if name, ok := wire.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", code)
}

// Conclusive reports whether a response code is an answer to the question: that there
// is such a name, or that there is none. All others say that the server did not do
// what it was asked.
func Conclusive(code int) bool {
	return code == wire.RcodeSuccess || code == wire.RcodeNameError
}
