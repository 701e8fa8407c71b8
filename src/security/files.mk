# files.mk - what make needs to know about src/security; see the head of GNUmakefile
SRCS_security := scram.c
LIBS_security := -lcrypto
