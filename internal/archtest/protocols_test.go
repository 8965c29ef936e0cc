package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// protocolNames are the names of protocols, transports and schemes: the nouns hold them, and
// every other room says linger.H2, linger.TransportUDP or linger.SchemeHTTPS.
var protocolNames = []string{
	"http/1.0", "http/1.1", "h1", "h2", "h2c", "h3", "HTTP/1.1", "HTTP/2", "HTTP/3",
	"udp", "tcp", "tls", "quic", "dns", "dot", "doh", "doh3", "doq", "http", "https",
}

// spelt is how many literals of a room are such a name and mean something else, with the
// reason. The numbers may only shrink.
var spelt = map[string]struct {
	most   int
	reason string
}{
	"capture/har":       {1, "a key of HAR's timings"},
	"capture/weblog":    {1, "the name of a field in the formats of this room"},
	"compare":           {1, "a code of what a step changes"},
	"compare/assertion": {1, "the name of a figure: a version of TLS"},
	"conformance":       {1, "the name of a figure: a version of TLS"},
	"dial":              {1, "the network of net.Dialer"},
	"internal/textbook": {2, "names of examples"},
	"keepalive":         {1, "a block of nginx's configuration"},
	"live":              {1, "a status line, of which the length is compared"},
	"observe":           {8, "words of tcpdump's filter language"},
	"origin/site":       {1, "the parameter of RFC 8484's URI template"},
	"probe/secure":      {1, "what an experiment measures"},
	"report":            {1, "after what an idle limit counts"},
	"report/html":       {2, "classes of the style sheet"},
	"trace":             {2, "keys of a record"},
}

// TestProtocolsAreNouns counts the names of protocols that are spelt out.
func TestProtocolsAreNouns(t *testing.T) {
	found := map[string][]string{}
	for _, f := range sources(t) {
		if f.room == "." {
			continue
		}
		networks := map[ast.Expr]bool{}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				// The network of net.Dial and net.Listen is Go's name, not a protocol of ours.
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && (strings.HasPrefix(sel.Sel.Name, "Dial") || strings.HasPrefix(sel.Sel.Name, "Listen")) {
					for _, arg := range n.Args {
						networks[arg] = true
					}
				}
			case *ast.BasicLit:
				if n.Kind != token.STRING || networks[n] {
					break
				}
				if s, err := strconv.Unquote(n.Value); err == nil && slices.Contains(protocolNames, s) {
					found[f.room] = append(found[f.room], f.path+": "+n.Value)
				}
			}
			return true
		})
	}
	for room, all := range found {
		if most := spelt[room].most; len(all) > most {
			t.Errorf("%s spells %d names of protocols, and %d may be; ask the nouns (linger.H2, Protocol.Multiplexed):\n\t%s",
				room, len(all), most, strings.Join(all, "\n\t"))
		}
	}
	for room, one := range spelt {
		if n := len(found[room]); n < one.most {
			t.Errorf("the table allows %s %d names of protocols, and it has %d; they may only shrink", room, one.most, n)
		}
	}
}
