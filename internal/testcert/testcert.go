// Package testcert makes certificates for tests, with new keys, out of templates in which only
// what matters to the test has to stand.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"time"
)

// SelfSigned returns a certificate that its own key signs. Without a NotAfter it is valid for
// an hour, and without a serial number it has the number 1.
func SelfSigned(template x509.Certificate) tls.Certificate {
	return issue(&template, nil)
}

// SignedBy returns a certificate that the authority's key signs, in the same way but for the
// serial number, which is 2.
func SignedBy(authority tls.Certificate, template x509.Certificate) tls.Certificate {
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(2)
	}
	return issue(&template, &authority)
}

func issue(template *x509.Certificate, by *tls.Certificate) tls.Certificate {
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(1)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}

// Roots returns what trusts the certificate.
func Roots(c tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return pool
}

// PEM returns the certificate and its key as files have them.
func PEM(c tls.Certificate) (certificate, key []byte) {
	secret := must(x509.MarshalPKCS8PrivateKey(c.PrivateKey))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// must has a test end where no certificate can be made.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
