// Package authority makes certificates for one run: of a certificate authority that lives in
// memory, or read from files.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"linger/content"
	"linger/origin/head"
)

// An Authority is a certificate authority made for one run: a root that clients
// are told to trust, and an intermediate that signs. The keys live in memory only.
//
// What a server of it sends is a leaf and the intermediate, together about 2.7 KB
// in DER for one name: what many public sites send. Both hold what public ones
// do: a policy, addresses of revocation lists and issuers, and the leaf two signed
// certificate timestamps. The addresses lead nowhere and no log has signed, which
// clients that know neither root nor log pass over. All keys are ECDSA on P-256; a
// filler stands for the larger signatures and keys that chains of RSA have.
type Authority struct {
	root, issuer *x509.Certificate
	key          *ecdsa.PrivateKey // the issuer's
	now          time.Time
}

// maxCommonName is how long a common name may be (RFC 5280, A.1: ub-common-name).
const maxCommonName = 64

// Lifetimes, from now on: those of public certificates. Each begins an hour
// before now, for clients whose clock is behind.
const (
	rootLife   = 10 * 365 * 24 * time.Hour
	issuerLife = 3 * 365 * 24 * time.Hour
	leafLife   = 90 * 24 * time.Hour
	clockSkew  = time.Hour
)

// New makes an authority whose certificates are valid around now. One of
// a year ago has an expired leaf under a root that is still good.
func New(now time.Time) (*Authority, error) {
	root := template(now, rootLife, subject("linger test root X1"))
	root.IsCA = true
	root.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	root, rootKey, err := issue(root, root, nil)
	if err != nil {
		return nil, err
	}
	issuer := template(now, issuerLife, subject("linger test issuer E1"))
	issuer.IsCA, issuer.MaxPathLenZero = true, true
	issuer.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	issuer.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	issuer.IssuingCertificateURL = []string{"http://certificates.linger.invalid/root-x1.der"}
	issuer.CRLDistributionPoints = []string{"http://revocation.linger.invalid/root-x1.crl"}
	issuer, key, err := issue(issuer, root, rootKey)
	if err != nil {
		return nil, err
	}
	return &Authority{root: root, issuer: issuer, key: key, now: now}, nil
}

// PEM returns the root's certificate, for a client to trust.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Pool returns the root alone, for a client of this module to trust.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// Certificate returns a leaf for those names and IP addresses, with a new key, and
// the intermediate behind it. It is safe for concurrent use.
func (a *Authority) Certificate(names ...string) (tls.Certificate, error) {
	if len(names) == 0 {
		return tls.Certificate{}, errors.New("a certificate needs a name; give it at least one, as localhost or 127.0.0.1")
	}
	// Clients of DNS are known that read the subject and take none for an error.
	leaf := template(a.now, leafLife, pkix.Name{CommonName: names[0][:min(len(names[0]), maxCommonName)]})
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
			continue
		}
		if !head.IsHost([]byte(name)) || name == "" || strings.ContainsAny(name, ":[]") {
			return tls.Certificate{}, fmt.Errorf("%q is neither a host's name nor an IP address, and cannot stand in a certificate", name)
		}
		leaf.DNSNames = append(leaf.DNSNames, name)
	}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leaf.OCSPServer = []string{"http://status.linger.invalid/issuer-e1"}
	leaf.IssuingCertificateURL = []string{"http://certificates.linger.invalid/issuer-e1.der"}
	leaf.CRLDistributionPoints = []string{"http://revocation.linger.invalid/issuer-e1/shard-17.crl"}
	timestamps, err := timestampList(a.now, a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf.ExtraExtensions = append(leaf.ExtraExtensions, timestamps)
	leaf, key, err := issue(leaf, a.issuer, a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.issuer.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func subject(name string) pkix.Name {
	return pkix.Name{Country: []string{"XX"}, Organization: []string{"linger"}, CommonName: name}
}

// validated is the policy of certificates whose holder has shown control of the
// domain: 2.23.140.1.2.1 (CA/Browser Forum, Baseline Requirements, 7.1.6.1).
var validated = func() x509.OID {
	oid, err := x509.OIDFromInts([]uint64{2, 23, 140, 1, 2, 1})
	if err != nil {
		panic(err)
	}
	return oid
}()

func template(now time.Time, life time.Duration, subject pkix.Name) *x509.Certificate {
	return &x509.Certificate{
		Subject:               subject,
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(life),
		BasicConstraintsValid: true,
		Policies:              []x509.OID{validated},
		ExtraExtensions:       []pkix.Extension{filling},
	}
}

// filling is an extension that says nothing: noise that no compression shrinks,
// of the size that a chain lacks to what public ones have. Its name is out of the
// numbers that are kept for examples (RFC 5612).
var filling = func() pkix.Extension {
	noise := make([]byte, 512)
	if _, err := io.ReadFull(content.Filler("certificate", int64(len(noise))), noise); err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Value: noise}
}()

// issue makes a key, and the certificate for it that the parent's key signs; a
// nil key is for one that signs itself.
func issue(c, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a certificate: %w", err)
	}
	c, err = x509.ParseCertificate(der)
	return c, key, err
}

// timestampList is the extension that holds two signed certificate timestamps
// (RFC 6962, 3.2 and 3.3), well-formed and signed by no log.
func timestampList(now time.Time, key *ecdsa.PrivateKey) (pkix.Extension, error) {
	var list []byte
	for log := range 2 {
		id := sha256.Sum256(fmt.Appendf(nil, "linger test log %d", log))
		signature, err := ecdsa.SignASN1(rand.Reader, key, id[:])
		if err != nil {
			return pkix.Extension{}, fmt.Errorf("cannot sign: %w", err)
		}
		b := append([]byte{0}, id[:]...) // version 1 is 0
		b = binary.BigEndian.AppendUint64(b, uint64(now.UnixMilli()))
		b = append(b, 0, 0) // no extensions
		b = append(b, 4, 3) // SHA-256, ECDSA
		b = binary.BigEndian.AppendUint16(b, uint16(len(signature)))
		b = append(b, signature...)
		list = binary.BigEndian.AppendUint16(list, uint16(len(b)))
		list = append(list, b...)
	}
	value, err := asn1.Marshal(append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...))
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}, err
}

// Load reads a certificate chain, the leaf first, and its private key
// from PEM files. now is what its validity is held against: a certificate that
// no client would take is an error.
func Load(certFile, keyFile string, now time.Time) (tls.Certificate, error) {
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the certificate's key cannot be read: %w", err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s and %s are no certificate with its key: %w; give both as PEM, the leaf first", certFile, keyFile, err)
	}
	switch {
	case now.Before(cert.Leaf.NotBefore):
		return tls.Certificate{}, fmt.Errorf("the certificate in %s is valid from %s on; wait, or give another", certFile, cert.Leaf.NotBefore.Format(time.RFC3339))
	case now.After(cert.Leaf.NotAfter):
		return tls.Certificate{}, fmt.Errorf("the certificate in %s has expired on %s; renew it, or give another", certFile, cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	return cert, nil
}
