package conduct

var tlsCases []Case
