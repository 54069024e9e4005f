import type { Workbench } from './workbench.ts';

/** What somebody does who wants to leave no trace, and what a verification of everything says of it: code and detail of each fault. */
export function tampering(made: Pick<Workbench, 'pool' | 'sequence' | 'verify'>) {
  return {
    verify: async (): Promise<readonly string[]> => {
      await made.sequence();
      const { faults } = await made.verify();
      return faults.map(({ code, detail }) => `${code} ${detail.replaceAll(/event \d+/g, 'event N')}`);
    },
    /** With triggers off. */
    unseen: async (sql: string) => {
      await made.pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
    },
  };
}
