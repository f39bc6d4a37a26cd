// mailauth at the end of a pipe: a JSON object a line in, one out (peers.py).
'use strict';
const readline = require('node:readline');
const dns = require('node:dns').promises;
const { authenticate } = require('mailauth');
const { dkimSign } = require('mailauth/lib/dkim/sign');
const { spf } = require('mailauth/lib/spf');
const { dmarc } = require('mailauth/lib/dmarc');

const resolver = (name, type) => dns.resolve(name, type);

const ops = {
    verify: async (q, message) => {
        const r = await authenticate(message, {
            ip: q.ip, helo: q.helo, sender: q.sender, mta: 'receiver.example', resolver,
            trustReceived: false, disableArc: true, disableBimi: true, minBitLength: 1024,
            curTime: q.now ? new Date(q.now * 1000) : undefined
        });
        return {
            dkim: r.dkim.results.map(x => x.status.result), why: r.dkim.results.map(x => x.status.comment || ''),
            domains: r.dkim.results.map(x => x.signingDomain), spf: r.spf && r.spf.status.result,
            dmarc: r.dmarc && r.dmarc.status.result, policy: r.dmarc && r.dmarc.policy,
            align: r.dmarc && r.dmarc.alignment && [!!r.dmarc.alignment.spf.result, !!r.dmarc.alignment.dkim.result]
        };
    },
    spf: async q => {
        const r = await spf({ ip: q.ip, helo: q.helo, sender: q.sender, mta: 'receiver.example', resolver });
        return { spf: r.status.result, why: r.status.comment };
    },
    dmarc: async q => {
        const r = await dmarc({ headerFrom: [`a@${q.author}`], spfDomains: q.spf, dkimDomains: q.dkim, resolver });
        return { dmarc: r && r.status.result, policy: r && r.policy };
    },
    sign: async (q, message) => {
        const r = await dkimSign(message, {
            canonicalization: q.canon, algorithm: q.algorithm, signTime: new Date(q.now * 1000),
            expires: q.expires ? new Date(q.expires * 1000) : undefined,
            signatureData: [{ signingDomain: q.domain, selector: q.selector, privateKey: q.key, maxBodyLength: q.length }]
        });
        return { signatures: r.signatures, errors: r.errors.map(x => String(x.err)) };
    }
};

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
        const q = JSON.parse(line);
        let out;
        try {
            out = await ops[q.op](q, Buffer.from(q.message, 'base64'));
        } catch (err) {
            out = { error: String(err) };
        }
        process.stdout.write(JSON.stringify(out) + '\n');
    }
})();
